"""The adversarial game: who moves when, against what, and how it is penalised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data import load
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.gan.card import GANConfig
from simulacra.models.gan.model import GAN
from simulacra.probability.objectives import OBJECTIVES

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
        torch.testing.assert_close(d.loss, OBJECTIVES[name].discriminator_loss(real, fake))
        torch.testing.assert_close(g.loss, OBJECTIVES[name].generator_loss(real, fake))


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
    assert model.penalties.clip_weights == 0.05
    turns(model)
    assert max(float(p.detach().abs().max()) for p in model.discriminator.parameters()) <= 0.05 + 1e-6
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
    assert float(model.standardise.std[0]) == pytest.approx(50, rel=0.1)
    samples = model.sample(100, Noise(0))
    assert (samples.mean(dim=0) - 1000).abs().max() < 100
    images = made(DataSpec("image", (3, 16, 16))).sample(4, Noise(0))
    assert 0 <= images.min() < images.max() <= 1


def test_a_collapsed_batch_is_seen() -> None:
    model = made(batch_deviation=True)
    x = torch.rand(8, 2)
    apart, alike = model.discriminator(x)[0], model.discriminator(x[:1].expand(8, 2))[0]
    assert apart != alike


def test_only_relativistic_generators_look_at_real_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, objective in OBJECTIVES.items():
        model, seen = made(objective=name, clip_weights=None), []
        forward = model.discriminator.forward
        monkeypatch.setattr(model.discriminator, "forward", lambda x: seen.append(x) or forward(x))  # noqa: B023
        turns(model)
        assert len(seen) == 3 + objective.relativistic


@pytest.mark.parametrize("augment", ["diff", "ada"])
def test_the_discriminator_sees_changed_images_only(augment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = DataSpec("image", (1, 16, 16))
    torch.manual_seed(0)
    settings: Any = {"width": 4, "augment": augment, "objective": "relativistic", "lazy": 1}
    model = GAN(spec, replace(SMALL, **settings))
    assert model.augment is not None
    shifts: list[float] = []

    def brighter(x: torch.Tensor, noise: Noise) -> torch.Tensor:
        shifts.append(len(shifts) + 1.0)
        return x + shifts[-1]

    monkeypatch.setattr(model.augment, "forward", brighter)
    x = torch.rand(4, 1, 16, 16)
    d, g = model.play(Batch(x, None, Noise(0, 1), step=0, steps=10))
    real, fake = (
        model.standardise(x),
        model._generate_standardised(Noise(0, 1).normal(4, 2), noise=Noise(0, 1)),
    )
    # real and fake of the discriminator's turn, then fake and real of the generator's
    outputs = [model.discriminator(y + k) for y, k in ((real, 1), (fake, 2), (fake, 3), (real, 4))]
    objective = OBJECTIVES["relativistic"]
    torch.testing.assert_close(d.loss, objective.discriminator_loss(outputs[0], outputs[1]))
    torch.testing.assert_close(g.loss, objective.generator_loss(outputs[3], outputs[2]))


def test_augmentation_adapts_to_how_sure_the_discriminator_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for sign, expected in ((1, 64 / 500_000), (-1, 0.0)):
        model = GAN(DataSpec("image", (1, 16, 16)), replace(SMALL, width=4, augment="ada"))
        # white images lie on one side of halfway to whatever the generator draws
        monkeypatch.setattr(model.discriminator, "forward", lambda x, sign=sign: sign * x.mean(dim=(1, 2, 3)))
        for step in range(8):
            turn = next(model.play(Batch(torch.ones(8, 1, 16, 16), None, Noise(0, step + 1), step, 10)))
        # eight images in each of eight steps, of 500,000
        assert float(turn.terms["augment"]) == pytest.approx(expected)


def test_augmentation_needs_images() -> None:
    with pytest.raises(ConfigError, match="augment: 'ada' changes images"):
        made(augment="ada")


def test_judging_is_what_the_discriminator_says_of_examples_in_their_own_units() -> None:
    model, x = made(), 3 + torch.rand(8, 2)
    model.standardise.mean.fill_(3.0)
    torch.testing.assert_close(model.discriminate(x), model.discriminator((x - 3) / model.standardise.std))


@pytest.mark.parametrize("net", ["mlp", "dcgan", "conv", "upsample", "resnet"])
@pytest.mark.parametrize("norm", ["none", "batch", "group"])
@pytest.mark.parametrize("size", [8, 32, 128])
def test_nets_are_sized_from_the_images(net: str, norm: str, size: int) -> None:
    spec = DataSpec("image", (3, size, size))
    model = made(spec, net=net, norm=norm, width=8, depth=1)
    assert model.sample(2, Noise(0)).shape == (2, 3, size, size)
    assert model.discriminate(torch.rand(2, 3, size, size)).shape == (2,)
    kinds = {"batch": torch.nn.BatchNorm2d, "group": torch.nn.GroupNorm}
    for kind, layer in kinds.items():
        normalised = any(isinstance(m, layer) for m in model.generator.modules())
        assert normalised == (kind == norm and net != "mlp")


@pytest.mark.parametrize(("name", "value"), [("lazy", 0), ("n_critic", 0), ("features", 0), ("r1", -1.0)])
def test_impossible_settings_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        made(**{name: value})


@pytest.mark.slow
def test_it_covers_what_the_naive_generator_does_not(tmp_path: Any) -> None:
    model = sim.train("gan", "gaussians-8", tmp_path / "run", steps=3000)
    numbers = sim.evaluate(model, load("gaussians-8"))
    assert numbers["modes_covered"] == 8
    assert numbers["within_4_sigma"] > 0.85
    assert 0.8 < numbers["variance_ratio"] < 1.2
