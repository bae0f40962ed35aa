"""Normal scores of skewed, rounded and special numbers."""

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from simulacra.core.noise import Noise
from simulacra.data.tables.schema import Column, Schema
from simulacra.models.normal_scores import NormalScores

# x: income, hours, gain, gain is value, gain is 0, sex is f, sex is m
SCHEMA = Schema(
    (
        Column("income", "number", decimals=2),
        Column("hours", "number"),
        Column("gain", "number", special=("0",)),
        Column("sex", "category", ("f", "m")),
    )
)


def rows(n: int = 20_000) -> np.ndarray:
    rng = np.random.default_rng(0)
    income = rng.lognormal(10, 1.5, n)
    # two in five work 40 hours
    hours = np.where(rng.random(n) < 0.4, 40, rng.normal(35, 12, n).round())
    own, m = rng.random((2, n)) < 0.5
    gain = np.where(own, rng.exponential(1000, n), 0)
    return np.column_stack([income, hours, gain, own, ~own, ~m, m]).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> tuple[NormalScores, torch.Tensor]:
    x = rows()
    scores = NormalScores(SCHEMA)
    scores.fit(x)
    return scores, torch.from_numpy(x)


def test_scores_are_standard_normal_also_of_rounded_numbers(
    fitted: tuple[NormalScores, torch.Tensor],
) -> None:
    scores, x = fitted
    s = scores(x, Noise(0).uniform(len(x), 3))
    own = x[:, 3] == 1
    for column in (s[:, 0], s[:, 1], s[own, 2]):
        assert kstest(column.double().numpy(), "norm").statistic < 0.015
    # a special value has no score, and codes stay
    assert (s[~own, 2] == 0).all()
    assert torch.equal(s[:, 3:], x[:, 3:])


def test_numbers_come_back(fitted: tuple[NormalScores, torch.Tensor]) -> None:
    scores, x = fitted
    back = scores.inverse(scores(x)[:, :3])
    low, high = x[:, :2].quantile(0.002, dim=0), x[:, :2].quantile(0.998, dim=0)
    inner = ((x[:, :2] > low) & (x[:, :2] < high)).all(dim=1)
    torch.testing.assert_close(back[inner, 1].round(), x[inner, 1])
    torch.testing.assert_close(back[inner, 0], x[inner, 0], rtol=0.01, atol=0)
    # nothing lies outside what the training data have
    far = scores.inverse(torch.full((1, 3), 9.0))
    assert (far <= x[:, :3].amax(dim=0)).all()
