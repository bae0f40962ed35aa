"""How far scores on a run's own test split are from those on new recordings, by how rows are split.

A robot arm moves along smooth random trajectories; the noise of its measured hand is smooth, too. A model
is trained on one recording, with `--split hash` and `--split blocks`, and scored on its own test split and on
five other recordings. Likewise for two signals that have nothing to do with each other.

    python benchmarks/recordings.py                   2 minutes of one core

NLL in nats and RMSE; +- one standard error, over consecutive fifths of the test split or over recordings.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import simulacra as sim
from simulacra.core.capabilities import Predicts
from simulacra.data import Dataset
from simulacra.run import Run

ROWS, STEPS, OTHERS = 10_000, 3000, 5


def smooth(n: int, length: float, rng: np.random.Generator) -> np.ndarray:
    """White noise convolved with a Gaussian, of variance 1."""
    t = np.arange(-3 * length, 3 * length + 1)
    kernel = np.exp(-(t**2) / 2 / length**2)
    noise = rng.normal(size=n + len(t) - 1)
    return np.convolve(noise, kernel / np.linalg.norm(kernel), "valid")


def arm(n: int, seed: int) -> np.ndarray:
    """The hand and three joint angles, `(n, 5)`."""
    rng = np.random.default_rng(seed)
    swing = np.array([0.8, 0.6, 0.5])
    q = np.array([np.pi / 2, np.pi / 2, 0]) + swing * np.stack([smooth(n, 30, rng) for _ in swing], axis=1)
    direction = np.cumsum(q, axis=1)
    hand = np.stack([np.cos(direction).sum(axis=1), np.sin(direction).sum(axis=1)], axis=1)
    drift = np.stack([smooth(n, 15, rng) for _ in range(2)], axis=1)
    return np.concatenate([hand + 0.02 * drift, q], axis=1)


def unrelated(n: int, seed: int) -> np.ndarray:
    """Two signals, the second independent of the first, `(n, 2)`."""
    rng = np.random.default_rng(seed)
    return np.stack([smooth(n, 50, rng) for _ in range(2)], axis=1)


def write(path: Path, columns: list[str], table: np.ndarray) -> str:
    """A table as a source."""
    np.savetxt(path, table, delimiter=",", header=",".join(columns), comments="", fmt="%.5f")
    return f"csv:{path}"


@torch.no_grad()
def scores(model: Predicts, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """-log p(y | x) and the squared error of each row."""
    p, t = model.predict(torch.from_numpy(data.x)), torch.from_numpy(data.target)
    return -p.log_prob(t).numpy(), ((p.mean - t) ** 2).mean(dim=1).numpy()


def estimate(parts: list[np.ndarray]) -> str:
    """The mean over blocks or recordings, and its standard error."""
    means = np.array([part.mean() for part in parts])
    return f"{means.mean():10.3f} +- {means.std(ddof=1) / len(means) ** 0.5:7.3f}"


def compare(model: str, make: Callable[[int, int], np.ndarray], columns: list[str], target: str) -> None:
    """Train on one recording, and print scores on its test split and on others."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        own = write(folder / "own.csv", columns, make(ROWS, 0))
        others = [write(folder / f"{i}.csv", columns, make(ROWS, i)) for i in range(1, OTHERS + 1)]
        for split in ("hash", "blocks"):
            run = folder / split
            trained = sim.train(model, own, run, target=target, split=split, steps=STEPS)
            test = Run(run).data().test
            cuts = np.arange(1, 5) * len(test) // 5
            nll, squared = scores(trained, test)
            new = [scores(trained, Run(run).data(other).train) for other in others]
            for name, mine, theirs in (
                ("NLL", np.split(nll, cuts), [one[0] for one in new]),
                ("RMSE", np.split(squared, cuts), [one[1] for one in new]),
            ):
                if name == "RMSE":
                    mine, theirs = ([np.sqrt(part.mean()) for part in parts] for parts in (mine, theirs))
                print(
                    f"{model:10} {split:7} {name:5} own {estimate(mine)}   new {estimate(theirs)}", flush=True
                )


if __name__ == "__main__":
    for kind in ("regressor", "mdn"):
        print(f"\nrobot arm, {kind}")
        compare(kind, arm, ["x", "y", "q1", "q2", "q3"], "q1,q2,q3")
    print("\ny independent of x")
    compare("regressor", unrelated, ["x", "y"], "y")
