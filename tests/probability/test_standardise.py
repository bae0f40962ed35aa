"""Standardisation: of vectors, of images by channel, of tables with codes."""

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

from simulacra.data.spec import DataSpec
from simulacra.data.tables.schema import Column, Schema
from simulacra.probability.standardise import Standardise

X = np.random.default_rng(0).normal([3, -100], [2, 50], (500, 2)).astype(np.float32)


def test_columns_have_mean_0_and_deviation_1_and_come_back() -> None:
    standardise = Standardise(DataSpec("vector", (2,)))
    standardise.fit(X)
    z = standardise(torch.from_numpy(X))
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(2), rtol=0, atol=1e-5)
    torch.testing.assert_close(z.std(dim=0, correction=0), torch.ones(2))
    torch.testing.assert_close(standardise.inverse(z), torch.from_numpy(X), rtol=1e-5, atol=1e-4)


def test_densities_in_units_have_the_jacobian() -> None:
    standardise = Standardise(DataSpec("vector", (2,)))
    standardise.fit(X)
    p = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
    x = torch.from_numpy(X)
    # ln p(x) = ln p(z) - sum ln std
    expected = p.log_prob(standardise(x)) - standardise.std.log().sum()
    torch.testing.assert_close(standardise.in_units(p).log_prob(x), expected)


def test_one_scale_for_all_columns() -> None:
    standardise = Standardise(DataSpec("vector", (2,)), common=True)
    standardise.fit(X)
    assert standardise.std.unique().item() == pytest.approx(np.sqrt(X.var(axis=0).mean()), rel=1e-5)


def test_codes_stay_and_special_values_do_not_count() -> None:
    schema = Schema((Column("gain", "number", special=("0",)), Column("sex", "category", ("f", "m"))))
    x = np.array([[0, 0, 1, 1, 0], [10, 1, 0, 0, 1], [30, 1, 0, 1, 0]], np.float32)
    standardise = Standardise(DataSpec("vector", (5,), schema=schema))
    standardise.fit(x)
    assert standardise.mean.tolist() == [20, 0, 0, 0, 0]
    assert standardise.std.tolist() == [10, 1, 1, 1, 1]
    # a number without a value of its own in any row
    standardise.fit(x[:1])
    assert standardise.std.tolist() == [1] * 5
