"""The adversarial game: who moves when, against what, and how it is penalised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.data import load
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.game import Batch, Noise, Turn
from simulacra.models.configs import GANConfig
from simulacra.models.gan import GAN
from simulacra.objectives import OBJECTIVES

PLANE = DataSpec("vector", (2,))
SMALL = GANConfig(latent_dim=2, hidden=(16,), features=8, r1=0.0, r2=0.0)


def made(spec: DataSpec = PLANE, **settings: Any) -> GAN:
    torch.manual_seed(0)
    return GAN(spec, replace(SMALL, **settings))


def batch(step: int = 0) -> Batch:
    """The same examples and the same noise at every call."""
    x = torch.rand(8, 2, generator=torch.Generator().manual_seed(step))
    return Batch(x, None, Noise(0, step + 1), step=step, steps=10)


def turns(model: GAN, step: int = 0) -> list[Turn]:
    played = []
    for turn in model.play(batch(step)):
        turn.loss.backward()
        model.zero_grad()
        played.append(turn)
    return played


def test_the_generator_moves_every_n_critic_steps() -> None:
    model = made(n_critic=3)
    players = [[turn.player for turn in turns(model, step)] for step in range(6)]
    alone, both = ["discriminator"], ["discriminator", "generator"]
    assert players == [alone, alone, both] * 2


def test_the_first_losses_are_those_written_out() -> None:
    for name in OBJECTIVES:
        model = made(objective=name, clip_weights=None if name != "wasserstein" else 100.0)
        z = Noise(0, 1).normal(8, 2)
        real, fake = model.discriminator(batch().x), model.discriminator(model.generator(z))
        d, g = model.play(batch())
        torch.testing.assert_close(d.loss, OBJECTIVES[name].discriminate(real, fake))
        torch.testing.assert_close(g.loss, OBJECTIVES[name].generate(real, fake))


def test_penalties_are_those_of_the_papers() -> None:
    model, x = made(), batch().x
    plain = next(model.play(batch())).loss
    fake = model.generator(Noise(0, 1).normal(8, 2)).detach()

    def slopes(at: torch.Tensor) -> torch.Tensor:
        rows = [torch.autograd.functional.jacobian(lambda r: model.discriminator(r[None]), row) for row in at]
        return torch.stack(rows)[:, 0].square().sum(dim=1)

    for name, at in (("r1", x), ("r2", fake)):
        model.penalties = made(**{name: 3.0}).penalties
        penalised = next(model.play(batch())).loss
        torch.testing.assert_close(penalised - plain, 1.5 * slopes(at).mean(), rtol=1e-4, atol=1e-6)
    model.penalties = made(gradient_penalty=10.0).penalties
    noise = Noise(0, 1)
    noise.normal(8, 2)
    e = noise.uniform(8, 1)
    expected = 10 * (slopes(e * x + (1 - e) * fake).sqrt() - 1).square().mean()
    torch.testing.assert_close(next(model.play(batch())).loss - plain, expected, rtol=1e-4, atol=1e-5)


def test_a_lazy_penalty_comes_rarely_and_counts_more() -> None:
    often, rarely = made(r1=1.0), made(r1=1.0, lazy=4)
    plain = made()
    for step in range(8):
        base = turns(plain, step)[0].loss
        every, fourth = (turns(model, step)[0].loss - base for model in (often, rarely))
        expected = 4 * every if step % 4 == 0 else torch.zeros(())
        torch.testing.assert_close(fourth, expected, rtol=1e-4, atol=1e-6)


def test_weights_are_clipped_and_spectra_are_one() -> None:
    model = made(objective="wasserstein")
    assert model.penalties.clip_weights == 0.01
    turns(model)
    assert max(float(p.detach().abs().max()) for p in model.discriminator.parameters()) <= 0.01
    model = made(spectral_norm=True, hidden=(32, 32)).train()
    for _ in range(30):
        turns(model)
    layer = next(m for m in model.discriminator.modules() if isinstance(m, torch.nn.Linear))
    largest = torch.linalg.matrix_norm(layer.weight, ord=2)
    torch.testing.assert_close(largest, torch.ones(()), rtol=0.05, atol=0)


def test_samples_are_in_the_units_of_the_data() -> None:
    rng = np.random.default_rng(0)
    x = (1000 + 50 * rng.normal(size=(500, 2))).astype(np.float32)
    model = made()
    model.prepare(Dataset(PLANE, x))
    assert float(model.std[0]) == pytest.approx(50, rel=0.1)
    samples = model.sample(100, Noise(0))
    assert (samples.mean(dim=0) - 1000).abs().max() < 100
    images = made(DataSpec("image", (3, 16, 16))).sample(4, Noise(0))
    assert 0 <= images.min() < images.max() <= 1


def test_a_collapsed_batch_is_seen() -> None:
    model = made(batch_deviation=True)
    x = torch.rand(8, 2)
    apart, alike = model.discriminator(x)[0], model.discriminator(x[:1].expand(8, 2))[0]
    assert apart != alike


@pytest.mark.parametrize(("name", "value"), [("lazy", 0), ("n_critic", 0), ("features", 0), ("r1", -1.0)])
def test_impossible_settings_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        made(**{name: value})


@pytest.mark.slow
def test_it_covers_what_the_naive_generator_does_not(tmp_path: Any) -> None:
    model = sim.train("gan", "gaussians-8", tmp_path / "run", steps=8000, lr=3e-3)
    numbers = sim.evaluate(model, load("gaussians-8"))
    assert numbers["modes_covered"] == 8
    assert numbers["within_4_sigma"] > 0.8
    assert 0.8 < numbers["variance_ratio"] < 1.2
