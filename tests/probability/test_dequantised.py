"""Normals of dequantised rows."""

import torch
from torch.distributions import Normal

from simulacra.core.noise import Noise
from simulacra.data.tables.schema import Column, Schema
from simulacra.probability.dequantised import DequantisedNormal
from simulacra.probability.layout import Layout

LAYOUT = Layout(Schema((Column("age", "number"), Column("sex", "category", ("f", "m", "other")))))
LOC, SCALE = torch.tensor([[40.0, 0.7, 0.4, -0.1]]), torch.tensor([[9.0, 0.5, 0.5, 0.5]])


def test_the_bound_is_the_expected_density_of_rows_with_noise() -> None:
    p, row = DequantisedNormal(LAYOUT, LOC, SCALE), torch.tensor([[30.0, 0, 1, 0]])
    u = torch.zeros(200_000, 4)
    u[:, 1:] = Noise(0).uniform(200_000, 3) - 0.5
    draws = Normal(LOC, SCALE).log_prob(row + u).sum(dim=1)
    assert (p.log_prob(row) - draws.mean()).abs() < 4 * draws.std() / 200_000**0.5
    # of a code of zeros, a category that the training data lack, nothing is observed
    unseen = torch.tensor([[30.0, 0, 0, 0]])
    torch.testing.assert_close(p.log_prob(unseen), Normal(40.0, 9.0).log_prob(torch.tensor([30.0])))


def test_draws_are_rows() -> None:
    p = DequantisedNormal(LAYOUT, LOC, SCALE)
    x = Noise(0).draw(p, 1000)
    assert x.shape == (1000, 1, 4)
    assert set(x[..., 1:].unique().tolist()) == {0.0, 1.0}
    assert (x[..., 1:].sum(dim=-1) == 1).all()
    torch.testing.assert_close(p.mean, torch.tensor([[40.0, 0.7 / 1.1, 0.4 / 1.1, 1e-6 / 1.1]]))
