"""The likelihood of rows against sums and integrals."""

from math import log, sqrt

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from simulacra.core.noise import Noise
from simulacra.data.tables.schema import Column, Schema
from simulacra.probability.mixed import COMPONENTS, Mixed, PointRows, Rows

# x: gain, gain is value, gain is 0, sex is f, sex is m, sex is other
SCHEMA = Schema(
    (Column("gain", "number", special=("0",), decimals=2), Column("sex", "category", ("f", "m", "other")))
)
OTHERS = torch.eye(3)


def rows(n: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    own = rng.random(n) < 0.3
    gain = np.where(own, rng.lognormal(3, 1, n), 0)
    return np.column_stack([gain, own, ~own, np.eye(3)[rng.integers(0, 3, n)]]).astype(np.float32)


def likelihood() -> tuple[Mixed, Rows]:
    mixed = Mixed(SCHEMA)
    mixed.fit(rows())
    output = torch.randn(1, *mixed.outputs((6,)), generator=torch.Generator().manual_seed(0))
    return mixed, mixed(output)


def test_everything_that_a_row_can_be_has_probability_1() -> None:
    _, p = likelihood()
    gain = torch.linspace(-2000, 2000, 200_001)
    total = 0.0
    for sex in OTHERS:
        own = torch.cat([gain[:, None], torch.tensor([1.0, 0, *sex]).expand(len(gain), 5)], dim=1)
        total += float(torch.trapezoid(p.log_prob(own).exp().double(), gain.double()))
        # in this state the number has no density, whatever it is
        total += float(p.log_prob(torch.tensor([[123.0, 0, 1, *sex]])).exp())
    assert total == pytest.approx(1, abs=1e-4)


def test_a_code_without_a_1_contributes_nothing() -> None:
    _, p = likelihood()
    unseen = p.log_prob(torch.tensor([[0.0, 0, 1, 0, 0, 0]]))
    known = torch.cat([p.log_prob(torch.tensor([[0.0, 0, 1, *sex]])) for sex in OTHERS])
    torch.testing.assert_close(known.logsumexp(dim=0), unseen[0])


def test_draws_are_rows_with_the_moments_that_are_claimed() -> None:
    _, p = likelihood()
    x = Noise(0).draw(p, 200_000)[:, 0]
    assert set(x[:, 1:].unique().tolist()) == {0.0, 1.0}
    assert torch.equal(x[:, 1:3].sum(dim=1), torch.ones(len(x)))
    assert torch.equal(x[:, 3:].sum(dim=1), torch.ones(len(x)))
    # the special value as it is encoded
    assert (x[x[:, 2] == 1, 0] == 0).all()
    error = x.std(dim=0) / sqrt(len(x))
    assert ((x.mean(dim=0) - p.mean[0]).abs() < 5 * error + 1e-6).all()
    torch.testing.assert_close(x.var(dim=0), p.variance[0], rtol=0.05, atol=1e-3)


def test_at_first_it_is_the_mixture_of_each_column() -> None:
    mixed = Mixed(SCHEMA, scale="exp")
    x = rows()
    mixed.fit(x)
    own = x[x[:, 1] == 1]
    p = mixed(torch.zeros(1, *mixed.outputs((6,))))
    log_p = p.log_prob(torch.from_numpy(own)) - log(0.5) - log(1 / 3)
    # a lognormal's long tail takes several normals
    single = Normal(float(own[:, 0].mean()), float(own[:, 0].std())).log_prob(torch.from_numpy(own[:, 0]))
    assert log_p.mean() > single.mean() + 0.2


def test_rounded_numbers_have_probabilities_that_add_up_to_1() -> None:
    schema = Schema((Column("children", "number"),))
    mixed = Mixed(schema)
    mixed.fit(np.random.default_rng(0).poisson(1.5, (500, 1)).astype(np.float32))
    output = torch.randn(1, *mixed.outputs((1,)), generator=torch.Generator().manual_seed(0))
    # scales far below the rounding: spikes
    output[:, -COMPONENTS:] -= 5
    p = mixed(output)
    every = torch.arange(-200.0, 200)[:, None]
    probability = p.log_prob(every).exp()
    assert probability.sum() == pytest.approx(1, abs=1e-4)
    x = Noise(0).draw(p, 50_000)[:, 0, 0]
    assert torch.equal(x, x.round())
    frequent = probability.argmax()
    assert (x == every[frequent]).float().mean() == pytest.approx(float(probability[frequent]), abs=0.01)


def test_values_of_many_rows_are_components_of_their_own() -> None:
    rng = np.random.default_rng(0)
    hours = np.where(
        rng.random(5000) < 0.3, rng.choice([40.0, 50, 60], 5000), rng.normal(40, 10, 5000).round(2)
    )
    mixed = Mixed(Schema((Column("hours", "number", decimals=2),)))
    mixed.fit(hours[:, None].astype(np.float32))
    p = mixed(torch.zeros(1, *mixed.outputs((1,))))
    # a tenth of the rows each, in a step of 0.01
    probability = p.log_prob(torch.tensor([[40.0], [50], [60], [55]])).exp() * 0.01
    torch.testing.assert_close(probability[:3], torch.full((3,), 0.1), rtol=0, atol=0.02)
    assert probability[3] < 0.001
    x = Noise(0).draw(p, 20_000)
    assert (x == 50).float().mean().item() == pytest.approx(0.1, abs=0.02)
    # no value of a continuous column is
    mixed.fit(rng.normal(size=(5000, 1)).astype(np.float32))
    assert (mixed.log_weight[0, COMPONENTS:] == -torch.inf).all()


def test_without_rounding_the_density_is_that_of_the_logistics() -> None:
    schema = Schema((Column("a", "number", decimals=6),))
    mixed = Mixed(schema)
    p = mixed(torch.zeros(1, *mixed.outputs((1,))))
    x = torch.tensor([[-3.0], [0.5], [20.0]])
    scale = p.scale[0, 0, 0]
    # e^-z / (s (1 + e^-z)^2)
    z = x[:, 0] / scale
    torch.testing.assert_close(p.log_prob(x), -z - scale.log() - 2 * torch.nn.functional.softplus(-z))


def test_rows_with_given_numbers() -> None:
    mixed, _ = likelihood()
    p = PointRows(mixed.layout, torch.tensor([[7.0]]), torch.tensor([[2.0, 1, 0, 0, 3]]))
    x = Noise(0).draw(p, 1000)[:, 0]
    assert set(x[:, 0].tolist()) == {0.0, 7.0}
    assert x[:, 1].mean().item() == pytest.approx(torch.tensor([2.0, 1]).softmax(0)[0].item(), abs=0.05)
    assert torch.equal(p.log_prob(x[:5]), torch.full((5,), torch.inf))
    assert p.log_prob(torch.tensor([[8.0, 1, 0, 1, 0, 0]])) == -torch.inf


def test_only_numbers_and_only_categories() -> None:
    for schema, x in (
        (Schema((Column("a", "number"), Column("b", "date"))), [[1.0, 2.0], [2.0, 4.0]]),
        (Schema((Column("c", "category", ("x", "y")),)), [[1.0, 0.0], [0.0, 1.0]]),
    ):
        mixed = Mixed(schema)
        mixed.fit(np.array(x, np.float32))
        p = mixed(torch.zeros(4, *mixed.outputs((2,))))
        assert p.mean.shape == p.sample().shape == (4, 2)
        assert p.log_prob(torch.tensor(x[:1])).isfinite().all()
