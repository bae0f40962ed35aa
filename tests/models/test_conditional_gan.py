"""A GAN that is told classes: both players see them, and samples are of the class that is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Samples
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.conditional_gan.card import ConditionalGANConfig
from simulacra.models.conditional_gan.model import ConditionalGAN
from simulacra.probability.objectives import OBJECTIVES

PLANE = DataSpec("vector", (2,), ("left", "right"))
IMAGES = DataSpec("image", (1, 16, 16), ("left", "right"))
SMALL = ConditionalGANConfig(latent_dim=2, hidden=(16,), width=8, features=8, r1=0.0, r2=0.0)


def made(spec: DataSpec = PLANE, **settings: Any) -> ConditionalGAN:
    torch.manual_seed(0)
    return ConditionalGAN(spec, replace(SMALL, **settings))


@pytest.mark.parametrize("condition", ["projection", "concatenation"])
@pytest.mark.parametrize("spec", [PLANE, IMAGES])
def test_both_players_are_told_the_class(condition: str, spec: DataSpec) -> None:
    model = made(spec, condition=condition)
    x, z = torch.rand(1, *spec.shape), torch.randn(1, 2)
    left, right = torch.tensor([0]), torch.tensor([1])
    assert model.discriminator(x, left) != model.discriminator(x, right)
    assert not torch.equal(model.generator(z, left), model.generator(z, right))


def test_projection_is_that_of_the_paper() -> None:
    model = made()
    net, x, y = model.discriminator, torch.rand(5, 2), torch.tensor([0, 1, 1, 0, 1])
    h = torch.nn.functional.leaky_relu(net.body(x), 0.2)
    # f(x, y) = v_y . phi(x) + psi(phi(x)), eq. 3
    expected = (net.projection.weight[y] * h).sum(1) + net.head(h)[:, 0]
    torch.testing.assert_close(net(x, y), expected)


def test_maps_of_the_class_stand_behind_the_channels() -> None:
    net = made(IMAGES, condition="concatenation").discriminator
    x, y = torch.rand(2, 1, 16, 16), torch.tensor([1, 0])
    zeros, ones = torch.zeros(1, 16, 16), torch.ones(1, 16, 16)
    by_hand = torch.stack([torch.cat([x[0], zeros, ones]), torch.cat([x[1], ones, zeros])])
    h = torch.nn.functional.leaky_relu(net.body(by_hand), 0.2)
    torch.testing.assert_close(net(x, y), net.head(h)[:, 0])


def test_a_normalised_generator_has_scales_for_each_class() -> None:
    model = made(IMAGES, norm="batch").eval()
    z, y = torch.randn(2, 2), torch.tensor([0, 1])
    with torch.no_grad():
        model.generator.embedding.weight[1] = model.generator.embedding.weight[0]
    # told nothing beside z, classes differ once their scales do
    before = model.generator(z, y)
    torch.testing.assert_close(before[1], model.generator(z[1:], y[:1])[0])
    scales = [m for m in model.modules() if isinstance(m, sim.nets.layers.ClassNorm)]
    assert len(scales) >= 2
    with torch.no_grad():
        scales[0].scale.weight[1] = 3
    after = model.generator(z, y)
    torch.testing.assert_close(after[0], before[0])
    assert not torch.allclose(after[1], before[1])


def test_fakes_are_judged_as_the_classes_they_were_made_for() -> None:
    model = made(objective="relativistic")
    x, y = torch.rand(6, 2), torch.tensor([0, 1, 1, 0, 1, 1])
    d, g = model.play(Batch(x, y, Noise(0, 1), step=0, steps=10))
    z = Noise(0, 1).normal(6, 2)
    real, fake = model.discriminator(x, y), model.discriminator(model.generator(z, y), y)
    objective = OBJECTIVES["relativistic"]
    torch.testing.assert_close(d.loss, objective.discriminator_loss(real, fake))
    torch.testing.assert_close(g.loss, objective.generator_loss(real, fake))


def test_classes_are_drawn_as_frequent_as_in_the_data() -> None:
    model = made()
    y = np.array([0] * 10 + [1] * 30)
    model.prepare(Dataset(PLANE, np.zeros((40, 2), np.float32), y))
    assert model.frequencies.tolist() == [0.25, 0.75]
    # the class is all that is left without z
    drawn = model.sample(4000, Noise(0), truncation=0.0)
    left = model.for_class(0).sample(1, Noise(0), truncation=0.0)
    assert (drawn - left).norm(dim=1).lt(1e-5).float().mean().item() == pytest.approx(0.25, abs=0.03)


def test_data_without_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs labels"):
        made(DataSpec("vector", (2,)))


@pytest.mark.slow
@pytest.mark.parametrize("condition", ["projection", "concatenation"])
def test_it_draws_what_it_is_asked_for(condition: str, tmp_path: Path) -> None:
    model = sim.train("conditional_gan", "iris", tmp_path / "run", condition=condition, steps=1000, lr=2e-3)
    data = sim.load_data("iris")
    for k in range(3):
        one = model.for_class(k)  # type: ignore[attr-defined]  # a conditional model
        assert isinstance(one, Samples)
        mean = one.sample(500, Noise(0)).mean(dim=0).numpy()
        centres = np.stack([data.train.x[data.train.y == c].mean(axis=0) for c in range(3)])
        assert np.linalg.norm(centres - mean, axis=1).argmin() == k
        assert np.linalg.norm(centres[k] - mean) < 0.3
