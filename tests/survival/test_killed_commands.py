"""Commands that are killed at seeded moments: every file is the old one or the new one, none is left over."""

from __future__ import annotations

import random
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.survival.launcher import Ending, Launcher

PLACE, DATA = "PLACE", "DATA"
MODELS = {
    "pix2pix": ["pix2pix", "--data", "pairs:DATA/pairs", "--image-size", "32", "--width", "4"],
    "table": ["classifier", "--data", "csv:DATA/table.csv", "--target", "y", "--hidden", "8"],
    "vae": ["vae", "--data", "digits", "--latent-dim", "2", "--hidden", "8"],
}
PROJECT = ["project", "PLACE/vae", "--data", "digits", "-n", "2", "--steps", "1", "--overwrite"]
TRAIN = ["--steps", "4", "--batch-size", "8", "--precision", "32", "--device", "cpu"]
EVALUATE = ["evaluate", "PLACE/vae", "--metrics", "elbo", "--examples", "50"]
REPORT = ["report", "PLACE/vae"]
SAMPLE = ["sample", "PLACE/vae", "-n", "6", "--overwrite"]
TRANSLATE = ["translate", "PLACE/pix2pix", "DATA/pairs/A", "--overwrite", "--out", "PLACE/translated"]
PREDICT = ["predict", "PLACE/table", "--data", "csv:DATA/table.csv", "--overwrite"]
CORRELATIONS = ["audit", "correlations", "DATA/table.csv", "--overwrite", "--out", "PLACE/audit"]
FALLACY = ["audit", "fallacy", "--p-given", "0.09", "--other", "0.05", "--overwrite", "--run", "PLACE/vae"]
DECIDE = ["audit", "decide", "DATA/table.csv", "--score", "p", "--costs", "DATA/costs.yaml", "--overwrite"]
DECIDE += ["--out", "PLACE/audit"]
# what makes the old files, and the command that is killed
COMMANDS = {
    "evaluate": ([EVALUATE], [*EVALUATE, "--seed", "1"]),
    "report": ([REPORT, EVALUATE], REPORT),
    "sample a grid": (
        [[*SAMPLE, "--out", "PLACE/out.png"]],
        [*SAMPLE, "--seed", "1", "--out", "PLACE/out.png"],
    ),
    "sample an archive": ([], [*SAMPLE, "--out", "PLACE/out.npz"]),
    "sample a folder": ([[*SAMPLE, "--out", "PLACE/out"]], [*SAMPLE, "--seed", "1", "--out", "PLACE/out"]),
    "sample a new folder": ([], [*SAMPLE, "--out", "PLACE/out"]),
    "reconstruct": ([], ["reconstruct", "PLACE/vae", "-n", "4", "--overwrite", "--out", "PLACE/out.png"]),
    "translate": ([TRANSLATE], [*TRANSLATE, "--seed", "1"]),
    "project": (
        [[*PROJECT, "--out", "PLACE/projected"]],
        [*PROJECT, "--seed", "1", "--out", "PLACE/projected"],
    ),
    "predict a table": (
        [[*PREDICT, "--out", "PLACE/out.csv"]],
        [*PREDICT, "--samples", "2", "--out", "PLACE/out.csv"],
    ),
    "predict arrays": ([], [*PREDICT, "--out", "PLACE/out.npz"]),
    "audit correlations": ([CORRELATIONS], [*CORRELATIONS, "--seed", "1"]),
    "audit fallacy of a run": ([[*FALLACY, "--base", "0.13"]], [*FALLACY, "--base", "0.2"]),
    "audit decide": ([DECIDE], [*DECIDE, "--y", "y=a"]),
}
KILLS = 20
# seconds from a point to a kill at most
DELAY = 0.05


@dataclass(frozen=True)
class Place:
    """A folder in which commands work, and the trained runs that it begins with."""

    launcher: Launcher

    @property
    def folder(self) -> Path:
        return self.launcher.folder / "place"

    def run(self, words: list[str], ending: Ending | None = None) -> tuple[int, list[str]]:
        """The exit code of a command, and its points."""
        names = {"PLACE": str(self.folder), "DATA": str(self.launcher.folder / "data")}
        for name, path in names.items():
            words = [word.replace(name, path) for word in words]
        outcome = self.launcher.run(words, ending)
        assert outcome.code in (0, -signal.SIGKILL), outcome.said
        return outcome.code, outcome.points

    def restore(self, kept: Path) -> None:
        """As a folder that was kept is; there is no cache."""
        for folder in (self.folder, self.launcher.cache):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(kept, self.folder)

    def files(self) -> dict[str, bytes]:
        """What is in it; of events which there are, since one that is logged twice is no loss."""
        found = {}
        for file in self.folder.rglob("*"):
            name = file.relative_to(self.folder)
            if (
                file.is_file()
                and name.name != ".lock"
                and not any(part.endswith(".tmp") for part in name.parts)
            ):
                found[str(name)] = file.read_bytes()
                if name.name == "metrics.jsonl":
                    found[str(name)] = b"\n".join(sorted(set(found[str(name)].splitlines())))
        return found


@pytest.fixture(scope="module")
def trained(launcher: Launcher) -> Path:
    """A folder with trained runs."""
    costs = "unit: hours\nactions:\n  a: {yes: 0, no: 1}\n  b: {yes: 5, no: 0}\n"
    (launcher.folder / "data" / "costs.yaml").write_text(costs)
    place = Place(launcher)
    for name, words in MODELS.items():
        place.run(["train", *words, *TRAIN, "--out", f"PLACE/{name}"])
    return place.folder.rename(launcher.folder / "trained")


def kill(launcher: Launcher, trained: Path, name: str, kills: int, late: bool = True) -> None:
    """Kill a command at seeded moments, each time from the old files on; half are `late` after one."""
    place, (before, command) = Place(launcher), COMMANDS[name]
    place.restore(trained)
    for words in before:
        place.run(words)
    old, kept = place.files(), launcher.folder / f"before {name}"
    place.folder.rename(kept)
    place.restore(kept)
    _, points = place.run(command)
    new = place.files()
    assert new != old
    rng = random.Random(name)
    numbers = rng.sample(range(1, len(points) + 1), min(kills, len(points)))
    done = due = 0
    for number in numbers:
        place.restore(kept)
        delay = rng.choice((None, rng.uniform(0, DELAY))) if late else None
        code, passed = place.run(command, Ending(number, delay=delay))
        done += code != 0
        due += delay is None
        there = place.files()
        torn = [
            file for file in old.keys() | new.keys() if there.get(file) not in (old.get(file), new.get(file))
        ]
        assert torn == [], passed
        assert there.keys() <= old.keys() | new.keys()
        assert place.run(command)[0] == 0
        assert place.files() == new, passed
        assert [str(file) for file in launcher.folder.rglob("*.tmp")] == [], passed
    print(f"\n{name}: {done} kills of {len(points)} points")
    # a command may end before a late kill
    assert done >= due


@pytest.mark.slow
def test_some_kills(launcher: Launcher, trained: Path) -> None:
    kill(launcher, trained, "sample a new folder", 3, late=False)


@pytest.mark.torture
@pytest.mark.parametrize("name", COMMANDS)
def test_many_kills(name: str, launcher: Launcher, trained: Path) -> None:
    kill(launcher, trained, name, KILLS)
