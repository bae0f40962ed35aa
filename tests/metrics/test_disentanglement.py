"""DCI and MIG on latents whose answer is known, and against the values of another implementation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Encodes, Generates, Predicts
from simulacra.core.latents import LatentSpace, Pushforward, StandardNormal
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.metrics.disentanglement import DCI, dci, factor_columns, mig
from simulacra.probability.distributions import Delta
from simulacra.run import Run

RNG = np.random.default_rng(0)
FACTORS = RNG.normal(size=(6000, 4))


def halves(z: np.ndarray, factors: np.ndarray = FACTORS) -> DCI:
    return dci(z[:2000], factors[:2000], z[2000:], factors[2000:])


def test_permuted_factors_are_perfect() -> None:
    z = -3 * FACTORS[:, [2, 0, 3, 1]] ** 3
    found = halves(z)
    assert found.importance.argmax(axis=0).tolist() == [1, 3, 0, 2]
    assert found.disentanglement > 0.98
    assert found.completeness.min() > 0.98
    assert found.informativeness.min() > 0.98
    assert mig(FACTORS[:, [2, 0, 3, 1]], FACTORS).min() > 0.95


def test_rotation_by_45_degrees_halves_what_four_factors_have() -> None:
    # two latents for two factors each: H = ln 2 of ln 4
    a, b, c, d = FACTORS.T
    found = halves(np.stack([a + b, a - b, c + d, c - d], axis=1))
    assert found.disentanglement == pytest.approx(0.5, abs=0.06)
    assert found.completeness == pytest.approx([0.5] * 4, abs=0.06)
    assert found.informativeness.min() > 0.9
    # both latents have equally much information about a factor
    assert mig(np.stack([a + b, a - b, c + d, c - d], axis=1), FACTORS) == pytest.approx([0] * 4, abs=0.03)


def test_latents_that_never_vary_tell_nothing() -> None:
    z = np.zeros((6000, 3))
    found = halves(z)
    assert found.importance.tolist() == [[0.0] * 4] * 3
    assert found.disentanglement == 0
    assert found.completeness.tolist() == [0.0] * 4
    assert found.informativeness == pytest.approx([0] * 4, abs=0.01)
    assert mig(z, FACTORS).tolist() == [0.0] * 4


def test_one_latent_for_two_factors_and_two_for_one() -> None:
    # D: the first latent is for both factors; C: the second factor has one latent
    R = np.array([[0.5, 1.0], [0.5, 0.0]])
    assert DCI(R, np.zeros(2)).completeness == pytest.approx([0.0, 1.0])
    # P_1 = (1/3, 2/3) with rho 3/4, P_2 = (1, 0) with rho 1/4
    H = -(np.log2(1 / 3) / 3 + 2 * np.log2(2 / 3) / 3)
    assert DCI(R, np.zeros(2)).disentanglement == pytest.approx(0.75 * (1 - H) + 0.25)


def weyl(n: int, k: int, start: float) -> np.ndarray:
    """Evenly spread numbers in [0, 1), `(n, k)`, the same on every machine."""
    return (np.arange(n)[:, None] + 1) * (start + np.arange(k) * 0.1234567) % 1


def test_the_values_of_disent() -> None:
    # `_compute_mig`, `_disentanglement` and `_completeness` of disent 0.9.3, which needs Python 3.12
    factors = np.floor(weyl(4000, 3, 0.6180339887) * [3, 10, 2])
    noise = weyl(4000, 4, 0.7548776662)
    mixed = factors @ np.array([[1, 0.5], [0.2, 1], [0, 2]])
    z = np.concatenate([np.column_stack([mixed, factors[:, 0] ** 2]) + noise[:, :3], noise[:, 3:]], axis=1)
    assert mig(z, factors).mean() == pytest.approx(0.36278336057794025, abs=1e-12)
    R = np.array([[0.5, 0.1, 0], [0.25, 0.2, 0], [0.25, 0.7, 0], [0, 0, 1]])
    found = DCI(R**3, np.zeros(3))
    assert found.disentanglement == pytest.approx(0.9485847596934318, abs=1e-8)
    # disent weights factors by their importance
    weighted = found.completeness @ (R**3).sum(axis=0) / (R**3).sum()
    assert weighted == pytest.approx(0.9307134156103041, abs=1e-8)


def test_thresholds_of_other_attributes_are_no_factors() -> None:
    names = sim.load_data("faces:300", image_size=32)
    assert names.train.attributes is not None
    assert [names.spec.attributes[i] for i in factor_columns(names.train.attributes)] == [
        name for name in names.spec.attributes if name != "smiling"
    ]
    # binary factors alone have nothing to be thresholds of
    assert factor_columns(np.array([[0, 1], [1, 0], [1, 1]])) == [0, 1]


class TwoSpaces(Encodes):
    """x is two factors: `z` has them as they are, `w` the sum and the difference."""

    spaces = (LatentSpace.normal(2), LatentSpace("w", (1, 2)))

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        mixed = torch.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1]], dim=1)[:, None]
        z = x if self.space(space).name == "z" else mixed
        return Independent(Normal(z, 0.1), 1)


def factor_data(n: int = 3000) -> Data:
    values = np.random.default_rng(1).normal(size=(n, 2)).astype(np.float32)
    spec = DataSpec("vector", (2,), attributes=("size", "hue"))
    whole = Dataset(spec, values, attributes=values)
    return Data(
        "factors", whole.take(slice(0, n // 2)), whole.take(slice(0, 0)), whole.take(slice(n // 2, n))
    )


def test_every_space_of_a_model_is_measured() -> None:
    data = factor_data()
    numbers = sim.evaluate(TwoSpaces(data.spec, None), data, metrics=["disentanglement"])
    assert numbers["disentanglement"] > 0.95
    assert set(numbers["columns"]) == {"size", "hue"}
    assert set(numbers["columns"]["hue"]) == {"mig", "completeness", "informativeness"}
    assert numbers["mig"] == pytest.approx(
        np.mean([numbers["columns"][name]["mig"] for name in ("size", "hue")])
    )
    assert numbers["directions"]["space w"]["disentanglement"] < 0.1
    assert numbers["directions"]["space w"]["informativeness"] > 0.9


class TwoDraws(Generates):
    """x is two factors: `s` has them as they are, `z` turned by 45 degrees, and `copies` twice."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec, None)
        turn = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / 2**0.5
        self.turn, normal = turn, StandardNormal((2,))
        stack = Pushforward(normal, lambda z: z[:, None].expand(-1, 3, -1), lambda: torch.zeros(3, 2), "")
        s = Pushforward(normal, lambda z: z @ turn, lambda: torch.zeros(2), "")
        self.spaces = (
            LatentSpace("s", (2,), s), LatentSpace.normal(2), LatentSpace("copies", (3, 2), stack),
            LatentSpace("bare", (2,)),
        )  # fmt: skip

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        return Delta(z if self.space(space).name == "s" else z @ self.turn)


class Reads(Predicts):
    """A regressor of both factors, which are the examples."""

    def predict(self, x: Tensor) -> Distribution:
        return Delta(x)

    def targets(self, batch: Batch) -> Tensor:
        raise NotImplementedError


def test_latents_of_a_generator_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    data = factor_data()
    model = TwoDraws(data.spec)
    assert sim.evaluate(model, data, metrics=["disentanglement"])["left_out"] == (
        "disentanglement of a generator needs a classifier that predicts the factors of its samples"
    )
    spec = dataclasses.replace(data.spec, target=DataSpec("vector", (2,), columns=("size", "hue")))
    monkeypatch.setattr(Run, "load", lambda _: Reads(spec, None))
    numbers = sim.evaluate(model, data, metrics=["disentanglement"], classifier="regressor")
    assert numbers["disentanglement"] > 0.95
    assert numbers["columns"]["size"]["informativeness"] > 0.95
    assert set(numbers["directions"]) == {"space z"}
    assert numbers["directions"]["space z"]["disentanglement"] < 0.1


def test_only_where_it_is_named_and_factors_are_known() -> None:
    data = factor_data(400)
    model = TwoSpaces(data.spec, None)
    assert "mig" not in sim.evaluate(model, data)
    bare = dataclasses.replace(data, train=dataclasses.replace(data.train, attributes=None))
    found = sim.evaluate(model, bare, metrics=["disentanglement"])
    assert "mig" not in found
    assert found["left_out"].startswith("disentanglement needs two or more attributes")
