"""The commands of docs/your-own-data.md run, on small data of the kinds that it describes."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.cli.main import main

PAGE = (Path(__file__).parents[1] / "docs" / "your-own-data.md").read_text(encoding="utf-8")
STEPS = re.compile(r"--steps \d+")


def save_pictures(folder: Path, names: list[str], rng: np.random.Generator) -> None:
    for k, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for i in range(8):
            x = rng.integers(0, 128, (8, 8, 3)) + 60 * (k % 2)
            image = Image.fromarray(x.astype(np.uint8))
            image.resize((32, 32), Image.Resampling.BICUBIC).save(folder / name / f"{i}.png")


def save_table(path: Path, names: list[str], columns: list[np.ndarray]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data that the page names, as the current one."""
    monkeypatch.chdir(tmp_path)
    rng, n = np.random.default_rng(0), 400
    save_pictures(Path("photos"), [f"person {k}" for k in range(10)], rng)
    save_pictures(Path("pets"), ["cats", "dogs"], rng)
    save_table(
        Path("customers.csv"),
        ["age", "plan", "since", "income", "churned"],
        [
            rng.integers(18, 90, n),
            rng.choice(["basic", "plus", ""], n),
            np.datetime64("2020-01-01") + rng.integers(0, 900, n),
            np.where(rng.random(n) < 0.1, "", rng.normal(30, 5, n).round(1).astype(str)),
            rng.choice(["yes", "no"], n),
        ],
    )
    walk = np.cumsum(rng.normal(size=(600, 3)), axis=0)
    save_table(
        Path("recording.csv"),
        ["session", "gyro_x", "gyro_y", "gyro_z", "speed"],
        [np.arange(600) // 60, *walk.T.round(3), np.sin(walk[:, 0]).round(3)],
    )
    np.savez("arrays.npz", images=rng.integers(0, 256, (60, 8, 8)).astype(np.uint8))
    return tmp_path


def test_every_command_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = re.findall(r"^simulacra (.*?)(?: +#.*)?$", PAGE, re.MULTILINE)
    assert len(commands) > 20
    for command in commands:
        assert main(shlex.split(STEPS.sub("--steps 5", command))) == 0, command
    printed = "".join(capsys.readouterr())
    assert "of the test rows have their nearest training row within 10 rows of the file" in printed
    with Path("new.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["age", "plan", "since", "income", "churned"]
    assert len(rows) == 1000
    report = Path("runs/pets/report.html").read_text(encoding="utf-8")
    assert 'id="confusion"' in report
    assert 'id="rows"' in Path("runs/customers/report.html").read_text(encoding="utf-8")


def test_the_python_example_runs(here: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code.replace("steps=200", "steps=5"), "your-own-data.md", "exec"), names)
    assert names["new"].shape == (10, 4)  # type: ignore[attr-defined]
