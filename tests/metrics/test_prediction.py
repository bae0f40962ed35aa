"""Scores and calibration against their definitions by numerical integration, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.distributions import (
    Categorical,
    ContinuousBernoulli,
    Distribution,
    Laplace,
    MixtureSameFamily,
    Normal,
)

from simulacra.metrics.prediction import calibration_error, covered, crps, pit

FAMILIES: dict[str, Distribution] = {
    "normal": Normal(torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.2])),
    "laplace": Laplace(torch.tensor([0.3, -1.0]), torch.tensor([1.0, 0.2])),
    "mixture": MixtureSameFamily(
        Categorical(torch.tensor([[0.2, 0.8], [0.5, 0.5]])),
        Normal(torch.tensor([[0.0, 2.0], [-3.0, 1.0]]), torch.tensor([[1.0, 0.1], [0.5, 2.0]])),
    ),
    "continuous bernoulli": ContinuousBernoulli(torch.tensor([0.3, 0.9])),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("y", [0.0, 0.37, 1.0])
def test_crps_is_its_integral(family: str, y: float) -> None:
    p = FAMILIES[family]
    bounded = family == "continuous bernoulli"
    t = torch.linspace(0, 1, 20_001) if bounded else torch.linspace(-20, 20, 400_001)
    grid = t[:, None].expand(-1, 2).double()
    double = FAMILIES[family].cdf(grid.float()).double()
    integrand = (double - (grid >= y).double()) ** 2
    oracle = torch.trapezoid(integrand, t.double(), dim=0)
    torch.testing.assert_close(crps(p, torch.full((2,), y)).double(), oracle, atol=2e-3, rtol=2e-3)


def test_crps_of_a_mixture_of_one_is_that_of_the_normal() -> None:
    normal = FAMILIES["normal"]
    assert isinstance(normal, Normal)
    one = MixtureSameFamily(Categorical(torch.ones(2, 1)), Normal(normal.loc[:, None], normal.scale[:, None]))
    y = torch.tensor([3.0, -2.0])
    torch.testing.assert_close(crps(one, y), crps(normal, y))


def test_crps_without_spread_is_the_absolute_error() -> None:
    y = torch.tensor([1.5])
    torch.testing.assert_close(crps(Normal(torch.zeros(1), 1e-4), y), y, atol=1e-4, rtol=0)
    with pytest.raises(TypeError, match="Bernoulli"):
        crps(torch.distributions.Bernoulli(0.5), y)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_right_distribution_is_calibrated(family: str) -> None:
    torch.manual_seed(0)
    p = FAMILIES[family]
    u = pit(p, p.sample((50_000,)))
    for percent in (50, 80, 95):
        torch.testing.assert_close(covered(u, percent).mean(), torch.tensor(percent / 100), atol=5e-3, rtol=0)


def test_too_wide_covers_too_much() -> None:
    torch.manual_seed(0)
    u = pit(Normal(0.0, 2.0), torch.randn(50_000))
    # P(|Z| < 2 * 0.6745)
    torch.testing.assert_close(covered(u, 50).mean(), torch.tensor(0.8227), atol=5e-3, rtol=0)


def test_calibration_error_by_hand() -> None:
    # ten answers at confidence 0.8 of which six are right: off by 0.2; ten at 0.6, all right: off by 0.4
    probs = torch.tensor([[0.8, 0.2]] * 10 + [[0.6, 0.4]] * 10)
    y = torch.tensor([0] * 6 + [1] * 4 + [0] * 10)
    assert calibration_error(probs, y) == pytest.approx((10 * 0.2 + 10 * 0.4) / 20)


def test_a_calibrated_classifier_has_no_error() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=100_000)
    y = (rng.uniform(size=len(p)) < p).astype(int)
    assert calibration_error(torch.from_numpy(np.stack([1 - p, p], axis=1)), torch.from_numpy(y)) < 0.01
