"""pix2pix and BicycleGAN: the losses of their papers, written out."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.config import Training
from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data import Options
from simulacra.data.spec import Dataset, DataSpec
from simulacra.engine.loop import train
from simulacra.errors import ConfigError
from simulacra.models.pix2pix.card import Pix2PixConfig
from simulacra.models.pix2pix.model import Pix2Pix
from simulacra.run import Run, RunConfig
from tests.metrics import translators as tiny
from tests.models.translators import IMAGE, images, optimisers, pix2pix, played


def batches() -> list[Batch]:
    return [
        Batch(images(s), None, Noise(0, s + 1), step=s, steps=9, target=images(s + 9, channels=1))
        for s in range(3)
    ]


def says(outputs: Tensor, value: float) -> Tensor:
    """Cross-entropy of logits where every answer should be `value`."""
    return F.binary_cross_entropy_with_logits(outputs, torch.full_like(outputs, value))


def moved(mover: torch.optim.Optimizer, loss: Tensor) -> float:
    mover.zero_grad()
    loss.backward()
    mover.step()
    return loss.item()


@pytest.mark.parametrize("objective", ["non-saturating", "least-squares", "hinge"])
def test_three_steps_of_pix2pix_are_those_written_out(objective: str) -> None:
    model = pix2pix(objective=objective)
    losses = played(model, batches())

    model, expected = pix2pix(objective=objective), []
    g, d, movers = model.generator, model.discriminator, optimisers(model)
    for batch in batches():
        x, y = 2 * batch.x - 1, 2 * batch.target - 1
        with Noise(0, batch.step + 1).dropout(g):
            fake = torch.tanh(g(x))
        real, false = d(torch.cat([x, y], 1)), d(torch.cat([x, fake.detach()], 1))
        if objective == "non-saturating":
            loss = 0.5 * (says(real, 1) + says(false, 0))
        elif objective == "least-squares":
            loss = 0.25 * (((real - 1) ** 2).mean() + (false**2).mean())
        else:
            loss = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + false).mean())
        expected.append(moved(movers["discriminator"], loss))
        judged = d(torch.cat([x, fake], 1))
        if objective == "non-saturating":
            fooled = says(judged, 1)
        else:
            fooled = ((judged - 1) ** 2).mean() if objective == "least-squares" else -judged.mean()
        loss = fooled + 100 * (fake - y).abs().mean()
        expected.append(moved(movers["generator"], loss))
    assert losses == pytest.approx(expected, rel=1e-5)


def test_three_steps_of_pix2pix_with_jitter_are_those_written_out() -> None:
    # inputs and targets that are not changed alike are no longer each other's opposite
    settings = {"spec": replace(IMAGE, target=IMAGE), "load_size": 40, "flip": True}
    inputs = [images(s) for s in range(3)]
    steps = [Batch(x, None, Noise(0, s + 1), s, 9, target=1 - x) for s, x in enumerate(inputs)]
    losses = played(pix2pix(**settings), steps)

    def jittered(image: Tensor, top: Tensor, left: Tensor, mirror: Tensor) -> Tensor:
        i, j = int(9 * top), int(9 * left)
        large = F.interpolate(image[None], size=(40, 40), mode="bilinear")[0]
        part = large[:, i : i + 32, j : j + 32]
        return part.flip(2) if mirror < 0.5 else part

    model, expected = pix2pix(**settings), []
    g, d, movers = model.generator, model.discriminator, optimisers(model)
    for s, clean in enumerate(inputs):
        noise = Noise(0, s + 1)
        x = torch.stack([jittered(2 * x - 1, *u) for x, u in zip(clean, noise.uniform(4, 3), strict=True)])
        y = -x
        with noise.dropout(g):
            fake = torch.tanh(g(x))
        loss = 0.5 * (says(d(torch.cat([x, y], 1)), 1) + says(d(torch.cat([x, fake.detach()], 1)), 0))
        expected.append(moved(movers["discriminator"], loss))
        loss = says(d(torch.cat([x, fake], 1)), 1) + 100 * (fake - y).abs().mean()
        expected.append(moved(movers["generator"], loss))
    assert losses == pytest.approx(expected, rel=1e-5)


def test_three_steps_of_bicyclegan_are_those_written_out() -> None:
    settings = {"style_dim": 2, "l1": 10.0, "adversarial": 2.0, "kl": 0.3, "recover": 5.0}
    losses = played(pix2pix(**settings), batches())
    model, expected = pix2pix(**settings), []
    g, d, movers = model.generator, model.discriminator, optimisers(model)
    for batch in batches():
        x, y, noise = 2 * batch.x - 1, 2 * batch.target - 1, Noise(0, batch.step + 1)
        noise.uniform(4, 3)
        mu, log_sigma = model.encoder(y).split(2, dim=1)
        sigma, e, z = log_sigma.exp(), noise.normal(4, 2), noise.normal(4, 2)
        with noise.dropout(g):
            fakes = [torch.tanh(g(x, code)) for code in (mu + sigma * e, z)]
        real = says(d(torch.cat([x, y], 1)), 1)
        told = [real + says(d(torch.cat([x, fake.detach()], 1)), 0) for fake in fakes]
        expected.append(moved(movers["discriminator"], 0.5 * (told[0] + told[1]) / 2))
        fooled = [says(d(torch.cat([x, fake], 1)), 1) for fake in fakes]
        kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * log_sigma).sum(dim=1).mean()
        # a copy is moved by nobody
        recovered = deepcopy(model.encoder)(fakes[1])[:, :2]
        loss = 2 * (fooled[0] + fooled[1]) + 10 * (fakes[0] - y).abs().mean() + 0.3 * kl
        loss = loss + 5 * (recovered - z).abs().mean()
        expected.append(moved(movers["generator"], loss))
    assert losses == pytest.approx(expected, rel=1e-5)


def test_the_generator_alone_learns_from_the_code_that_is_recovered() -> None:
    def gradients(recover: float) -> dict[str, Tensor]:
        model = pix2pix(style_dim=4, recover=recover)
        _, turn = model.play(batches()[0])
        turn.loss.backward()
        return {
            net: torch.cat([p.grad.flatten() for p in getattr(model, net).parameters()])
            for net in ("encoder", "generator")
        }

    without, with_it = gradients(0.0), gradients(5.0)
    assert without["encoder"].norm() > 0
    torch.testing.assert_close(without["encoder"], with_it["encoder"])
    assert (without["generator"] - with_it["generator"]).norm() > 0.01 * without["generator"].norm()


def test_without_an_adversary_the_generator_plays_alone() -> None:
    model, batch = pix2pix(adversarial=0.0), batches()[0]
    (turn,) = model.play(batch)
    with Noise(0, 1).dropout(model.generator):
        fake = torch.tanh(model.generator(2 * batch.x - 1)) / 2 + 0.5
    distance = (fake - batch.target).abs().mean()
    assert (turn.player, set(turn.terms)) == ("generator", {"l1"})
    torch.testing.assert_close(turn.terms["l1"], distance)
    torch.testing.assert_close(turn.loss, 100 * 2 * distance)


def test_without_an_adversary_a_training_leaves_the_discriminator_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: dict[str, Tensor] = {}

    def remember(self: Pix2Pix, train: Dataset) -> None:
        before.update({name: tensor.clone() for name, tensor in self.state_dict().items()})

    monkeypatch.setattr(Pix2Pix, "prepare", remember)
    # batch norm would remember what it was shown
    config = Pix2PixConfig(width=2, adversarial=0.0, norm="batch")
    training = Training(steps=3, batch_size=4, log_every=1)
    settings = RunConfig("pix2pix", config, "pairs", Options(), tiny.PAIRS, training)
    run = Run(tmp_path / "run")
    after = train(run, settings, tiny.pairs(8), quiet=True).state_dict()
    assert after.keys() == before.keys()
    same = {name: torch.equal(tensor, before[name]) for name, tensor in after.items()}
    assert all(same[name] for name in same if name.startswith("discriminator"))
    assert not any(same[name] for name in same if name.startswith("generator") and "weight" in name)
    assert all("discriminator_loss" not in event for event in run.events("train"))


def test_the_noise_chooses_a_translation_and_so_does_a_code() -> None:
    x = images(0, n=1)
    model = pix2pix(style_dim=4).eval()
    for m in (model, pix2pix().eval()):
        same, other = (m.translate(x, Noise(seed)) for seed in (1, 2))
        torch.testing.assert_close(same, m.translate(x, Noise(1)))
        assert not torch.equal(same, other)
    z = torch.zeros(1, 4)
    assert not torch.equal(model.generate(x, z), model.generate(x, z + 1))


def test_codes_translate_into_all_that_belongs_to_an_input_and_dropout_into_one_of_it() -> None:
    spec = DataSpec("image", (1, 8, 8))
    x = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    def brightness(style_dim: int) -> Tensor:
        """Of 64 translations of one input whose targets are black as often as white."""
        model = pix2pix(replace(spec, target=spec), style_dim=style_dim, l1=10.0)
        generator = torch.Generator().manual_seed(1)
        movers = optimisers(model, lr=2e-3)
        for step in range(200):
            white = torch.rand(16, 1, 1, 1, generator=generator) < 0.5
            y = white.float().expand(-1, 1, 8, 8)
            batch = Batch(x.expand_as(y), None, Noise(0, step + 1), step, 200, target=y)
            for turn in model.play(batch):
                moved(movers[turn.player], turn.loss)
        with torch.no_grad():
            return model.eval().translate(x.expand(64, -1, -1, -1), Noise(7)).mean(dim=(1, 2, 3))

    coded, dropped = brightness(2), brightness(0)
    assert (coded < 0.25).float().mean() > 0.15
    assert (coded > 0.75).float().mean() > 0.15
    assert 0 < dropped.std() < 0.2 * coded.std()


def test_codes_are_encoded_and_recovered() -> None:
    model = pix2pix(style_dim=4)
    y = images(1, channels=1)
    batch = Batch(images(0), None, Noise(0, 1), step=0, steps=9, target=y)
    d, g = model.play(batch)
    assert (d.player, g.player) == ("discriminator", "generator")
    mu, sigma = model._encoded(2 * y - 1)
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, sigma), torch.distributions.Normal(0.0, 1.0)
    ).sum(1)
    torch.testing.assert_close(g.terms["kl"], kl.mean())
    total = g.terms["adversarial"] + 100 * 2 * g.terms["l1"]
    total = total + 0.01 * g.terms["kl"] + 0.5 * g.terms["recovered"]
    torch.testing.assert_close(g.loss, total)


def test_a_game_without_a_loss_is_refused() -> None:
    with pytest.raises(ConfigError, match="both are 0, so there is no loss"):
        pix2pix(l1=0.0, adversarial=0.0)
    # what enlarges to more than any source is read at
    with pytest.raises(ConfigError, match="at least the image's 32 pixels and at most 4096"):
        pix2pix(load_size=4097)
