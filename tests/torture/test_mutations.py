"""Mutated files of runs and data: no signal, no traceback, no hang, no changed byte that goes unnoticed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import simulacra as sim
from simulacra.run import Run
from tests.torture.worker import KINDS

RUNS = ("config", "metrics", "checkpoint", "weights")
# mutations of the short form, and of each kind in the long one: 2,000 files of runs and 550 of data
FEW = 40
MANY = {**dict.fromkeys(KINDS, 80), **dict.fromkeys(RUNS, 500), "image": 150}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained runs of images and of a table."""
    folder = tmp_path_factory.mktemp("runs")
    rows = [
        f"{i},{'red' if i % 3 else ''},{i * i % 7},2020-01-{i % 28 + 1:02},{'ab'[i % 2]}" for i in range(80)
    ]
    (folder / "a.csv").write_text("n,colour,k,day,y\n" + "\n".join(rows))
    often = {"checkpoint_every": 0, "log_every": 2, "validate_every": 2, "steps": 6, "batch_size": 16}
    sim.train("vae", "digits", folder / "vae", latent_dim=2, hidden=(8,), ema=0.9, **often)
    sim.train("conditional_gan", "digits", folder / "gan", hidden=(8,), latent_dim=2, **often)
    sim.train("classifier", f"csv:{folder / 'a.csv'}", folder / "table", target="y", hidden=(8,), **often)
    for name in ("vae", "table"):
        run = Run(folder / name)
        run.log("evaluation", step=6, **sim.evaluate(run.load(), run.data(), examples=20))
    return folder


def faults(kind: str, runs: Path, folder: Path, seed: int, count: int) -> list[str]:
    """What went wrong, for each mutation with which anything did."""
    found: list[str] = []
    first = 0
    while first < count:
        words = [kind, str(runs), str(folder), str(seed), str(first), str(count)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.torture.worker", *words],
            capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
            env={**os.environ, "SIMULACRA_DATA": str(folder), "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        lines = [line.split(" ", 2) for line in done.stdout.splitlines()]
        found += [
            f"{kind} {line[1]}: {ast.literal_eval(line[2])}"
            for line in lines
            if len(line) > 2 and line[2] != "''"
        ]
        if not lines:
            return [*found, f"{kind}: the process did not start: {done.stderr}"]
        first = int(lines[-1][1]) + 1
        if lines[-1][0] == "begin":
            found.append(
                f"{kind} {lines[-1][1]}: the process ended with {done.returncode}: {done.stderr[-3000:]}"
            )
    return found


@pytest.mark.slow
def test_some_mutations(runs: Path, tmp_path: Path) -> None:
    # in one process: to start one takes longer than ten mutations
    assert faults(",".join(KINDS), runs, tmp_path, seed=0, count=FEW) == []


@pytest.mark.torture
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutations(kind: str, runs: Path, tmp_path: Path) -> None:
    assert faults(kind, runs, tmp_path, seed=1, count=MANY[kind]) == []
