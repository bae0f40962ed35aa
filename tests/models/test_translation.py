"""pix2pix and CycleGAN: the losses of their papers, written out, and what the nets are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.game import Batch, Model, Noise
from simulacra.models.configs import CycleGANConfig, Pix2PixConfig
from simulacra.models.cyclegan import CycleGAN
from simulacra.models.jitter import Jitter
from simulacra.models.pix2pix import Pix2Pix

IMAGE = DataSpec("image", (3, 32, 32))
PAIRS = replace(IMAGE, target=DataSpec("image", (1, 32, 32)))
DOMAINS = replace(IMAGE, classes=("horse", "zebra"))


def pix2pix(**settings: Any) -> Pix2Pix:
    torch.manual_seed(0)
    return Pix2Pix(PAIRS, replace(Pix2PixConfig(width=8, norm="instance"), **settings))


def cyclegan(**settings: Any) -> CycleGAN:
    torch.manual_seed(0)
    return CycleGAN(DOMAINS, replace(CycleGANConfig(width=8, blocks=1, flip=False), **settings))


def images(seed: int, n: int = 4, channels: int = 3) -> Tensor:
    return torch.rand(n, channels, 32, 32, generator=torch.Generator().manual_seed(seed))


def optimisers(model: Model) -> dict[str, torch.optim.Optimizer]:
    return {
        player: torch.optim.Adam(
            [p for net in nets for p in getattr(model, net).parameters()], lr=2e-4, betas=(0.5, 0.999)
        )
        for player, nets in model.players.items()
    }


def played(model: Model, batches: list[Batch]) -> list[float]:
    losses, movers = [], optimisers(model)
    for batch in batches:
        for turn in model.play(batch):
            turn.loss.backward()
            movers[turn.player].step()
            movers[turn.player].zero_grad()
            losses.append(turn.loss.item())
    return losses


@pytest.mark.parametrize("objective", ["non-saturating", "least-squares", "hinge"])
def test_three_steps_of_pix2pix_are_those_written_out(objective: str) -> None:
    batches = [
        Batch(images(s), None, Noise(0, s + 1), step=s, steps=9, target=images(s + 9, channels=1))
        for s in range(3)
    ]
    model = pix2pix(objective=objective)
    losses = played(model, batches)

    model, expected = pix2pix(objective=objective), []
    g, d, movers = model.generator, model.discriminator, optimisers(model)
    for batch in batches:
        x, y = 2 * batch.x - 1, 2 * batch.target - 1
        with Noise(0, batch.step + 1).dropping(g):
            fake = torch.tanh(g(x))
        real, false = d(torch.cat([x, y], 1)), d(torch.cat([x, fake.detach()], 1))
        if objective == "non-saturating":
            bce = F.binary_cross_entropy_with_logits
            loss = 0.5 * (bce(real, torch.ones_like(real)) + bce(false, torch.zeros_like(false)))
        elif objective == "least-squares":
            loss = 0.25 * (((real - 1) ** 2).mean() + (false**2).mean())
        else:
            loss = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + false).mean())
        movers["discriminator"].zero_grad()
        loss.backward()
        movers["discriminator"].step()
        expected.append(loss.item())
        judged = d(torch.cat([x, fake], 1))
        if objective == "non-saturating":
            fooled = F.binary_cross_entropy_with_logits(judged, torch.ones_like(judged))
        else:
            fooled = ((judged - 1) ** 2).mean() if objective == "least-squares" else -judged.mean()
        loss = fooled + 100 * (fake - y).abs().mean()
        movers["generator"].zero_grad()
        loss.backward()
        movers["generator"].step()
        expected.append(loss.item())
    assert losses == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_three_steps_of_cyclegan_are_those_written_out(norm: str) -> None:
    batches = [
        Batch(images(s), torch.tensor([0, 0, 1, 1]), Noise(0, s + 1), step=s, steps=9) for s in range(3)
    ]
    losses = played(cyclegan(pool=2, norm=norm), batches)
    model, expected = cyclegan(pool=2, norm=norm), []
    pools: dict[str, list[Tensor]] = {"a": [], "b": []}
    movers = optimisers(model)
    for batch in batches:
        a, b = 2 * batch.x[:2] - 1, 2 * batch.x[2:] - 1

        def there(x: Tensor) -> Tensor:
            return torch.tanh(model.a_to_b(x))

        def back(x: Tensor) -> Tensor:
            return torch.tanh(model.b_to_a(x))

        fake_b, fake_a = there(a), back(b)
        loss = ((model.judge_b(fake_b) - 1) ** 2).mean() + ((model.judge_a(fake_a) - 1) ** 2).mean()
        loss = loss + 10 * ((back(fake_b) - a).abs().mean() + (there(fake_a) - b).abs().mean())
        loss = loss + 5 * ((back(a) - a).abs().mean() + (there(b) - b).abs().mean())
        for mover in movers.values():
            mover.zero_grad()
        loss.backward()
        movers["generators"].step()
        expected.append(loss.item())
        noise = Noise(0, batch.step + 1)
        noise.uniform(2, 3), noise.uniform(2, 3)
        shown = []
        for name, fake in (("a", fake_a), ("b", fake_b)):
            u, pool, chosen = noise.uniform(2, 2), pools[name], []
            for i, image in enumerate(fake.detach()):
                if len(pool) < 2:
                    pool.append(image)
                    chosen.append(image)
                elif u[i, 1] < 0.5:
                    place = int(u[i, 0] * 2)
                    chosen.append(pool[place])
                    pool[place] = image
                else:
                    chosen.append(image)
            shown.append(torch.stack(chosen))
        for mover in movers.values():
            mover.zero_grad()
        loss = 0.5 * (((model.judge_a(a) - 1) ** 2).mean() + (model.judge_a(shown[0]) ** 2).mean())
        loss = loss + 0.5 * (((model.judge_b(b) - 1) ** 2).mean() + (model.judge_b(shown[1]) ** 2).mean())
        loss.backward()
        movers["discriminators"].step()
        expected.append(loss.item())
    assert losses == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("objective", ["non-saturating", "hinge"])
def test_the_other_objectives_of_cyclegan_are_those_written_out(objective: str) -> None:
    model = cyclegan(objective=objective)
    batch = Batch(images(0), torch.tensor([0, 0, 1, 1]), Noise(0, 1), step=0, steps=9)
    g, d = model.play(batch)
    a, b = 2 * batch.x[:2] - 1, 2 * batch.x[2:] - 1
    fake_a, fake_b = model.b_to_a(b).tanh(), model.a_to_b(a).tanh()
    fooled, told = torch.zeros(()), torch.zeros(())
    for judge, x, fake in ((model.judge_a, a, fake_a), (model.judge_b, b, fake_b)):
        real, false = judge(x), judge(fake)
        if objective == "hinge":
            fooled = fooled - false.mean()
            told = told + F.relu(1 - real).mean() + F.relu(1 + false).mean()
        else:
            bce = F.binary_cross_entropy_with_logits
            fooled = fooled + bce(false, torch.ones_like(false))
            told = told + bce(real, torch.ones_like(real)) + bce(false, torch.zeros_like(false))
    torch.testing.assert_close(g.terms["adversarial"], fooled)
    torch.testing.assert_close(d.loss, told)


def test_identity_and_pool_can_be_left_out() -> None:
    model = cyclegan(identity=0.0, pool=0)
    batch = Batch(images(0), torch.tensor([0, 0, 1, 1]), Noise(0, 1), step=99, steps=100)
    g, d = model.play(batch)
    assert set(g.terms) == {"adversarial", "cycle"}
    torch.testing.assert_close(g.loss, g.terms["adversarial"] + 10 * 4 * g.terms["cycle"])
    fakes = (
        (model.judge_a, model.b_to_a(2 * batch.x[2:] - 1)),
        (model.judge_b, model.a_to_b(2 * batch.x[:2] - 1)),
    )
    of_fakes = sum(0.5 * judge(fake.tanh()).square().mean() for judge, fake in fakes)
    real = 0.5 * ((model.judge_a(2 * batch.x[:2] - 1) - 1) ** 2).mean()
    real = real + 0.5 * ((model.judge_b(2 * batch.x[2:] - 1) - 1) ** 2).mean()
    torch.testing.assert_close(d.loss, of_fakes + real)


@pytest.mark.parametrize("patch", ["1", "16", "70", "full"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("side", [8, 13])
def test_every_setting_plays_with_small_images(patch: str, norm: str, side: int) -> None:
    spec = DataSpec("image", (3, side, side + 2), classes=("a", "b"))
    x = torch.rand(2, *spec.shape)
    batch = Batch(x, torch.tensor([0, 1]), Noise(0, 1), target=1 - x)
    one, paired = {"width": 2, "patch": patch, "norm": norm}, replace(spec, target=spec)
    models = [
        CycleGAN(spec, CycleGANConfig(blocks=1, **one)),
        *(Pix2Pix(paired, Pix2PixConfig(net=net, blocks=1, **one)) for net in ("unet", "resnet")),
    ]
    for model in models:
        for turn in model.play(batch):
            turn.loss.backward()
            assert turn.loss.isfinite()


def test_a_code_chooses_among_translations_and_without_one_dropout_hardly_does() -> None:
    x = images(0, n=1)
    model = pix2pix(style_dim=4).eval()
    for m in (model, pix2pix().eval()):
        same, other = (m.translate(x, Noise(seed)) for seed in (1, 2))
        torch.testing.assert_close(same, m.translate(x, Noise(1)))
        assert not torch.equal(same, other)
    z = torch.zeros(1, 4)
    assert not torch.equal(model.generate(x, z), model.generate(x, z + 1))


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


def test_jitter_cuts_what_belongs_together_alike() -> None:
    x = images(0, n=64)
    a, b = Jitter((3, 32, 32), 40, flip=True)(Noise(0), x, 1 - x[:, :1])
    assert a.shape == (64, 3, 32, 32)
    torch.testing.assert_close(b, 1 - a[:, :1])
    # without enlarging only mirroring is left, of about half
    (c,) = Jitter((3, 32, 32), None, flip=True)(Noise(0), x)
    flipped = [torch.equal(i, j.flip(2)) for i, j in zip(c, x, strict=True)]
    assert all(f or torch.equal(i, j) for f, i, j in zip(flipped, c, x, strict=True))
    assert 20 < sum(flipped) < 44
    large = F.interpolate(x[:1], (40, 40), mode="bilinear")[0]
    cut = Jitter((3, 32, 32), 40, flip=False)(Noise(3), x)[0][0]
    places = [
        (i, j) for i in range(9) for j in range(9) if torch.equal(large[:, i : i + 32, j : j + 32], cut)
    ]
    assert len(places) == 1
    with pytest.raises(ConfigError, match="at least the image's 32 pixels"):
        Jitter((3, 32, 32), 30, flip=False)


@pytest.mark.parametrize("patch", ["1", "16", "70", "full"])
def test_an_output_of_the_discriminator_sees_a_patch(patch: str) -> None:
    from simulacra.nets.translation import PatchCritic

    net = PatchCritic(3, 128, patch, width=4, norm="none")
    x = torch.rand(1, 3, 128, 128, requires_grad=True)
    out = net(x)
    side = int(out.shape[1] ** 0.5)
    middle = out[0, side // 2 * side + side // 2]
    (gradient,) = torch.autograd.grad(middle, x)
    rows = gradient.abs().sum(dim=(0, 1, 3)).nonzero()[:, 0]
    seen = int(rows.max() - rows.min()) + 1
    assert seen == {"1": 1, "16": 16, "70": 70, "full": 128}[patch]


@pytest.mark.parametrize("size", [(20, 20), (33, 47), (64, 64)])
def test_any_size_is_translated(size: tuple[int, int]) -> None:
    x = torch.rand(1, 3, *size)
    with torch.no_grad():
        assert pix2pix().eval().translate(x, Noise(0)).shape == (1, 1, *size)
        assert cyclegan().eval().translate(x, Noise(0)).shape == (1, 3, *size)


def test_data_that_are_no_pairs_or_domains_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs pairs of images"):
        Pix2Pix(IMAGE, Pix2PixConfig())
    with pytest.raises(ConfigError, match="this one has 0"):
        CycleGAN(IMAGE, CycleGANConfig())
    tiny = DataSpec("image", (3, 7, 9), classes=("a", "b"))
    for kind, config in ((CycleGAN, CycleGANConfig()), (Pix2Pix, Pix2PixConfig())):
        with pytest.raises(ConfigError, match="9x7 pixels are too small"):
            kind(replace(tiny, target=tiny), config)
    with pytest.raises(ConfigError, match="unknown 'zebr', did you mean 'zebra'"):
        cyclegan().translate(images(0), Noise(0), to="zebr")
