"""What layers decide, for a model whose layers are its factors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.data.spec import Data, Dataset
from simulacra.metrics.evaluation import Evaluation
from simulacra.metrics.layers import LAYERS, swapped, swapped_variance
from tests.latent.layered import Layered


class Reads:
    """Predicts each number of an example, and the sum of the first two."""

    names = ("turn", "shape", "colour", "both")

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([x, x[:, :1] + x[:, 1:2] / 2], axis=1)


def data(model: Layered) -> Data:
    values = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    whole = Dataset(model.spec, values, attributes=values)
    return Data("layers", whole.take(slice(0, 10)), whole.take(slice(10, 20)), whole.take(slice(20, 30)))


def test_layers_are_factors() -> None:
    model = Layered()
    found = LAYERS.compute(Evaluation(model, data(model), data(model).test, True, [LAYERS], predictor=Reads))
    groups = ["style_coarse", "style_middle", "style_fine"]
    shares = np.array([[found["columns"][name][group] for group in groups] for name in Reads.names])
    assert shares[:3] == pytest.approx(np.eye(3), abs=0.12)
    # w is the same in both layers, so that their sum varies four times as much as one
    assert shares[3] == pytest.approx([0.25, 0.25, 0], abs=0.05)
    # of the others nothing at all
    assert (shares[:3][~np.eye(3, dtype=bool)] == 0).all()
    assert found["style_layers"]["attributes"] == list(Reads.names)
    # every group is one layer
    assert np.array(found["style_layers"]["shares"]) == pytest.approx(shares)


def test_what_is_swapped_is_bit_equal() -> None:
    a, b = torch.randn(2, 5, 3, 4).unbind()
    mixed = swapped(a, b, [1])
    assert torch.equal(mixed[:, 1], b[:, 1])
    assert torch.equal(mixed[:, [0, 2]], a[:, [0, 2]])
    assert not torch.equal(a, mixed)


def test_shares_of_known_variances() -> None:
    # f = 2 u + v: u decides 4 / 5, v 1 / 5
    u, v, w = np.random.default_rng(0).normal(size=(3, 100_000))
    after = np.stack([2 * w + v, 2 * u + w])[:, :, None]
    assert swapped_variance((2 * u + v)[:, None], after)[:, 0] == pytest.approx([0.8, 0.2], abs=0.01)


def test_without_a_predictor_it_is_left_out() -> None:
    model = Layered()
    found = sim.evaluate(model, data(model), metrics=["layers"])
    assert found["left_out"] == "layers needs a classifier that predicts attributes of examples well"
