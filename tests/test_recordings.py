"""A recording of a robot arm: scores of a run hold for other recordings if rows are split in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.data import Dataset
from simulacra.run import Run

ROWS = 6000


def smooth(n: int, length: float, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(-3 * length, 3 * length + 1)
    kernel = np.exp(-(t**2) / 2 / length**2)
    return np.convolve(rng.normal(size=n + len(t) - 1), kernel / np.linalg.norm(kernel), "valid")


def record(path: Path, seed: int) -> str:
    """Where the hand of an arm with three joints is, and their angles; both smooth, and so is the noise."""
    rng = np.random.default_rng(seed)
    swing = np.array([0.8, 0.6, 0.5])
    q = np.array([np.pi / 2, np.pi / 2, 0]) + swing * np.stack([smooth(ROWS, 20, rng) for _ in swing], 1)
    direction = np.cumsum(q, axis=1)
    hand = np.stack([np.cos(direction).sum(1), np.sin(direction).sum(1)], 1)
    hand += 0.02 * np.stack([smooth(ROWS, 10, rng) for _ in range(2)], 1)
    table = np.concatenate([hand, q], axis=1)
    np.savetxt(path, table, delimiter=",", header="x,y,q1,q2,q3", comments="", fmt="%.5f")
    return f"csv:{path}"


def nll(model: sim.MDN, data: Dataset) -> np.ndarray:
    """-log p(y | x), means over consecutive fifths."""
    assert data.target is not None
    with torch.no_grad():
        log_p = model.predict(torch.from_numpy(data.x)).log_prob(torch.from_numpy(data.target))
    return np.array([part.mean() for part in np.array_split(-log_p.numpy(), 5)])


@pytest.mark.slow
def test_scores_hold_for_other_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, others = record(tmp_path / "own.csv", 0), [record(tmp_path / f"{i}.csv", i) for i in (1, 2, 3)]
    gaps, errors = {}, {}
    for split in ("hash", "blocks"):
        run = tmp_path / split
        capsys.readouterr()
        model = sim.train("mdn", own, run, target="q1,q2,q3", split=split, steps=1000)
        said = [line for line in capsys.readouterr().err.splitlines() if "test rows" in line]
        assert len(said) == (split == "hash")
        mine = nll(model, Run(run).data().test)
        theirs = np.array([nll(model, Run(run).data(other).train).mean() for other in others])
        gaps[split] = theirs.mean() - mine.mean()
        errors[split] = np.hypot(mine.std(ddof=1) / 5**0.5, theirs.std(ddof=1) / 3**0.5)
    assert abs(gaps["blocks"]) < 3 * errors["blocks"]
    assert gaps["hash"] > 3 * errors["hash"]
