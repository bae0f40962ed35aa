"""Run commands on a disk that fails at one operation after the other. Started with failing_disk.so preloaded.

    LD_PRELOAD=failing_disk.so python failing_disk.py failing_disk.so FOLDER MOST ENOSPC,EIO,EROFS [NAME...]

Prints one JSON line for each command and error: how many operations it has, at how many of them it failed
(MOST, evenly spread, or all), and what was wrong.
"""

from __future__ import annotations

import csv
import ctypes
import errno
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from simulacra import tensors
from simulacra.cli.main import main
from simulacra.engine import checkpoint
from simulacra.errors import RunError
from simulacra.run import Run

# {run} is a trained vae, and {out} is written; both are on the disk that fails. {given} is what is read.
TRAIN = "train vae --data digits --latent-dim 2 --hidden 8 --batch-size 64 --log-every 4 --checkpoint-every 0"
TRAIN += " --device cpu --out {run}"
PEOPLE, HERE = "{given}/people.csv", "--out {out}"
ATTACK = "attack {given}/classifier --method fgsm -n 4"
COMMANDS = {
    "train": f"{TRAIN} --steps 6",
    "resume": f"{TRAIN} --steps 12",
    "evaluate": "evaluate {run} --metrics elbo",
    "report": "report {run}",
    "sample a grid": "sample {run} -n 4 --out {out}.png",
    "sample a folder": "sample {run} -n 4 --out {out}",
    "sample into a folder": "sample {run} -n 4 --out {empty}",
    "sample an archive": "sample {run} -n 4 --out {out}.npz",
    "sample a table": "sample {given}/pca -n 4 --out {out}.csv",
    "sample anew": "sample {run} -n 4 --out {old}.png --overwrite",
    "reconstruct": "reconstruct {run} --data digits -n 4 --out {out}.png",
    "reconstruct a folder": "reconstruct {run} --data digits -n 4 --out {out}",
    "interpolate": "interpolate {run} --seeds 1,2 --steps 3 --out {out}.gif",
    "interpolate to a folder": "interpolate {run} --seeds 1,2 --steps 3 --out {out}",
    "predict": "predict {given}/classifier --data digits --out {out}.csv",
    "predict an archive": "predict {given}/classifier --data digits --out {out}.npz",
    "predict files": "predict {given}/classifier {given}/pictures --out {out}.csv",
    "predict anew": "predict {given}/classifier --data digits --out {old}.csv --overwrite",
    "translate": "translate {given}/pix2pix {given}/pictures --variants 2 --out {out}",
    "attack": f"{ATTACK} {HERE}.png",
    "attack to an archive": f"{ATTACK} {HERE}.npz",
    "attack in rounds": f"{ATTACK} --rounds 1 --added 4 {HERE}",
    "compare": "compare {run} {given}/other --metrics elbo",
    "recipe": "recipe digits-vae --steps 4 --hidden 8 --out {out}",
    "data check": "data check folder:{given}/pictures",
    "data preview": "data preview folder:{given}/pictures --out {out}.png",
    "runs": "runs {place}",
    "runs check": "runs check {run}",
    "audit predictions": f"audit predictions {PEOPLE} --y y --pred late --group sex {HERE}",
    "audit sampling": f"audit sampling {PEOPLE} --reference-rates {{given}}/rates.csv --selected late {HERE}",
    "audit amplify": f"audit amplify {PEOPLE} {PEOPLE} --object late --group sex {HERE} --rba {{out}}.csv",
    "audit decide": f"audit decide {PEOPLE} --score p --costs {{given}}/costs.yaml --y y --group sex {HERE}",
    "audit fallacy": "audit fallacy --p-given 0.09 --base 0.13 --other 0.08 --out {out}",
    "audit fallacy anew": "audit fallacy --p-given 0.09 --base 0.13 --other 0.08 --out {old} --overwrite",
    "audit correlations": f"audit correlations {PEOPLE} {HERE}",
    "audit causes": f"audit causes {{given}}/graph.yaml {PEOPLE} --do p=0.5 {HERE}",
    "audit feedback": "audit feedback --preset urn --seeds 20 --steps 20 --out {out}",
    "audit generator": "audit generator {run} --attribute class --samples 100",
    "audit checklist": "audit checklist --wronged {given}/wronged.csv --encounters 10 --out {out}",
    "audit checklist of a run": "audit checklist {run}",
}
WRITE_NOTHING = {"compare", "data check", "runs", "runs check"}
# they write many files that differ from one moment to the next: checkpoints, logs
TRAININGS = ("train", "resume", "recipe", "attack in rounds")


def call(command: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = main(command)
    return code, said.getvalue()


def prepare(given: Path) -> None:
    """What the commands read."""
    (given / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(given / "pictures" / f"{i}.png")
    with (given / "people.csv").open("w", newline="") as stream:
        rows = [("fm"[i % 2], i % 40 / 40, int(i % 40 > i % 31), i % 2 ^ (i % 5 > 3)) for i in range(600)]
        csv.writer(stream).writerows([("sex", "p", "y", "late"), *rows])
    (given / "rates.csv").write_text("sex,people\nf,10\nm,10\n")
    (given / "wronged.csv").write_text("race,wronged,n\nA,805,1795\nB,349,1488\n")
    (given / "costs.yaml").write_text(
        "actions:\n  search: {late: 0, early: 1}\n  wait: {late: 5, early: 0}\n"
    )
    (given / "graph.yaml").write_text("arrows: {sex: [y], p: [y]}")
    few = "--steps 3 --device cpu"
    for words in (
        f"{TRAIN} --steps 6".format(run=given / "run"),
        f"{TRAIN} --steps 6 --seed 1".format(run=given / "other"),
        f"train classifier --data digits {few} --out {given}/classifier",
        f"train pca --data wine --out {given}/pca",
        f"train pix2pix --data face-outlines:60 --image-size 32 --width 8 {few} --out {given}/pix2pix",
    ):
        code, said = call(words.split())
        assert code == 0, said


def reset(place: Path, given: Path, words: str) -> list[str]:
    """A fresh disk for a command, and its words."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "empty").mkdir(parents=True)
    (place / "old").mkdir()
    for old in ("old.png", "old.csv", "old/audit.html", "old/findings.json"):
        (place / old).write_bytes(b"old")
    if "{run}" in words and "--steps 6" not in words:
        shutil.copytree(given / "run", place / "run")
    names = {name: place / name for name in ("run", "out", "old", "empty")}
    return words.format(**names, place=place, given=given).split()


def contents(place: Path) -> dict[str, bytes]:
    """The files of a disk, but for logs, locks and caches."""
    files = (file.relative_to(place) for file in place.rglob("*") if file.is_file())
    return {
        str(file): (place / file).read_bytes()
        for file in files
        if file.name not in ("metrics.jsonl", ".lock") and file.parts[0] != "cache"
    }


def forked(work: Callable[..., Any], *arguments: Any) -> Any:
    """What a function returns in a process of its own; an error as a sentence."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            found = work(*arguments)
        except BaseException as problem:  # reported by the parent
            found = f"raised {type(problem).__name__}: {problem}"
        with os.fdopen(write, "w") as pipe:
            pipe.write(json.dumps(found))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    _, status = os.waitpid(process, 0)
    return f"ended with status {status}" if status or not said else json.loads(said)


def count(shim: ctypes.CDLL, place: Path, command: list[str]) -> list[Any]:
    """The exit code of a command on a sound disk, what it said, and its operations."""
    shim.fail(str(place).encode(), 0, 0)
    code, said = call(command)
    return [code, said, shim.operations()]


def attempt(
    shim: ctypes.CDLL,
    place: Path,
    command: list[str],
    n: int,
    error: int,
    before: Mapping[str, bytes] | None,
    after: Mapping[str, bytes] | None,
) -> list[str]:
    """What goes wrong when the n-th operation and all that follow fail, and then none."""
    shim.fail(str(place).encode(), n, error)
    code, said = call(command)
    shim.fail(b"", 0, 0)
    problems = []
    # progress and warnings are lines of their own
    message = [line for line in said.splitlines() if line.startswith("simulacra: ")]
    if code not in (0, 1, 2):
        problems.append(f"exit code {code}")
    if code and len(message) != 1:
        problems.append(f"said {said!r}")
    if "Traceback" in said:
        problems.append(said)
    if before is not None and after is not None:
        for name, content in contents(place).items():
            if not name.endswith(".tmp") and content not in (before.get(name), after.get(name)):
                problems.append(f"{name} is neither old nor new")
        if lost := before.keys() - contents(place).keys():
            problems.append(f"{lost} are gone")
    run = Run(place / "run")
    try:
        if run.weights.exists():
            tensors.check(run.weights)
        checkpoint.load(run)
    except RunError as damage:
        problems.append(f"left damaged: {damage}")
    again, said = call(command)
    if again != 0:
        problems.append(f"the same command afterwards: {again}, {said!r}")
    elif after is not None and contents(place) != after:
        problems.append("the same command afterwards did not come to the same end")
    if leftovers := [*place.rglob("*.tmp")]:
        problems.append(f"left {leftovers}")
    return problems


def run_all(shim: ctypes.CDLL, folder: Path, most: int, errors: list[str], names: list[str]) -> None:
    given, place = folder / "given", folder / "place"
    # caches of decoded images are on the disk that fails
    os.environ |= {"SIMULACRA_DATA": str(place / "cache"), "XDG_CACHE_HOME": str(place / "cache")}
    prepare(given)
    for name, words in COMMANDS.items():
        if names and name not in names:
            continue
        command = reset(place, given, words)
        before = None if name in TRAININGS else contents(place)
        code, said, operations = forked(count, shim, place, command)
        assert code == 0, (name, said)
        after = None if name in TRAININGS else contents(place)
        # the last among them
        few = np.linspace(1, operations, most + 1)[1:].round().astype(int)
        points = few.tolist() if most < operations else [*range(1, operations + 1)]
        for error in errors:
            problems = []
            for n in points:
                reset(place, given, words)
                found = forked(attempt, shim, place, command, n, getattr(errno, error), before, after)
                if found:
                    problems.append(f"operation {n}: {found}")
            row = {"command": name, "error": error, "operations": operations, "failures": len(points)}
            print(json.dumps({**row, "problems": problems}), flush=True)


if __name__ == "__main__":
    library = ctypes.CDLL(sys.argv[1])
    library.operations.restype = ctypes.c_long
    library.fail.argtypes = [ctypes.c_char_p, ctypes.c_long, ctypes.c_int]
    run_all(library, Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4].split(","), sys.argv[5:])
