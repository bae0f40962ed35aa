"""The random network, and the naive way to train it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.core.noise import Noise
from simulacra.data import load
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.generator.card import GeneratorConfig
from simulacra.models.generator.model import Generator
from simulacra.models.naive.card import NaiveConfig
from simulacra.models.naive.model import Naive

PLANE = DataSpec("vector", (2,))


def test_weights_are_glorots() -> None:
    torch.manual_seed(0)
    layers = [m for m in Generator(PLANE, GeneratorConfig()).modules() if isinstance(m, torch.nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(2, 100), *[(100, 100)] * 11, (100, 2)]
    for m in layers:
        a = (6 / (m.in_features + m.out_features)) ** 0.5
        assert m.weight.abs().max() <= a
        assert m.weight.abs().max() > 0.9 * a
        assert (m.bias == 0).all()


def test_without_biases_it_is_homogeneous() -> None:
    # a ReLU net without biases: g(c z) = c g(z) for c > 0, so samples lie on rays
    model = Generator(PLANE, GeneratorConfig())
    z = torch.randn(10, 2)
    torch.testing.assert_close(model.decode(3 * z).mean, 3 * model.decode(z).mean)


def test_an_output_likelihood_adds_its_noise() -> None:
    torch.manual_seed(0)
    config = GeneratorConfig(likelihood="normal", sigma=0.5)
    x = Generator(PLANE, config).sample(20_000, seed=0, truncation=0.0, draw=True)
    # z = 0 gives g(0) = 0: what is left is the likelihood's own spread
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(x.std(dim=0), torch.full((2,), 0.5), atol=0.02, rtol=0)


@pytest.mark.parametrize("net", ["conv", "upsample", "resnet", "mlp"])
def test_pictures_of_every_net_vary(net: Any) -> None:
    torch.manual_seed(0)
    model = Generator(
        DataSpec("image", (3, 20, 16)), GeneratorConfig(latent_dim=8, net=net, hidden=(64,), width=16)
    )
    x = model.sample(32, Noise(0))
    assert x.shape == (32, 3, 20, 16)
    assert 0 <= x.min() < x.max() <= 1
    assert x.std(dim=0).mean() > 0.05


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_naive_training_collapses(tmp_path: Any, loss: str) -> None:
    model = sim.train("naive", "gaussians-8:5000", tmp_path / "run", loss=loss, steps=500)
    numbers = sim.evaluate(model, load("gaussians-8:5000"))
    assert numbers["modes"] == 8
    assert numbers["modes_covered"] <= 1
    assert numbers["variance_ratio"] < 0.2
    assert numbers["mean_distance"] < 0.2


def test_naive_training_on_pictures_draws_their_mean(tmp_path: Any) -> None:
    data = load("digits")
    mean = data.train.x.mean(axis=0) / 255
    for loss in ("mse", "bce"):
        model: Any = sim.train("naive", "digits", tmp_path / loss, loss=loss, steps=600)
        x = model.sample(50, Noise(0)).numpy()
        assert np.abs(x.mean(axis=0) - mean).max() < 0.1
        assert x.var(axis=0).sum() < 0.2 * (data.train.x / 255).var(axis=0).sum()


def test_cross_entropy_needs_pictures() -> None:
    with pytest.raises(ConfigError, match="bce needs images"):
        Naive(PLANE, NaiveConfig(loss="bce"))
