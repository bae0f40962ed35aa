"""Numbers of samples, of a sampler whose samples are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra.data import load
from simulacra.data.spec import DataSpec
from simulacra.evaluation import evaluate
from simulacra.game import Model, Noise


class AtModes(Model):
    """Half its samples at the first mode of the ring, a quarter at the second, a quarter in the middle."""

    def __init__(self, modes: np.ndarray) -> None:
        super().__init__(DataSpec("vector", (2,)), None)
        points = np.stack([modes[0], modes[1], modes[0], np.zeros(2)])
        self.register_buffer("points", torch.from_numpy(points).float())

    def sample(self, n: int, noise: Noise, truncation: float = 1.0) -> Tensor:
        points = self.get_buffer("points")
        return points[torch.arange(n) % len(points)]


def test_shares_of_the_modes() -> None:
    data = load("gaussians-8:2000")
    assert data.truth.modes is not None
    numbers = evaluate(AtModes(data.truth.modes), data, examples=100)
    assert numbers["mode_shares"] == [0.5, 0.25, 0, 0, 0, 0, 0, 0]
    assert sum(numbers["mode_shares"]) == pytest.approx(numbers["within_4_sigma"])
    assert numbers["modes_covered"] == 2
