"""CycleGAN: the losses of its paper, written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from tests.models.translators import cyclegan, images, optimisers, played


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
        loss = ((model.discriminator_b(fake_b) - 1) ** 2).mean() + (
            (model.discriminator_a(fake_a) - 1) ** 2
        ).mean()
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
        loss = 0.5 * (
            ((model.discriminator_a(a) - 1) ** 2).mean() + (model.discriminator_a(shown[0]) ** 2).mean()
        )
        loss = loss + 0.5 * (
            ((model.discriminator_b(b) - 1) ** 2).mean() + (model.discriminator_b(shown[1]) ** 2).mean()
        )
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
    for judge, x, fake in ((model.discriminator_a, a, fake_a), (model.discriminator_b, b, fake_b)):
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
        (model.discriminator_a, model.b_to_a(2 * batch.x[2:] - 1)),
        (model.discriminator_b, model.a_to_b(2 * batch.x[:2] - 1)),
    )
    of_fakes = sum(0.5 * judge(fake.tanh()).square().mean() for judge, fake in fakes)
    real = 0.5 * ((model.discriminator_a(2 * batch.x[:2] - 1) - 1) ** 2).mean()
    real = real + 0.5 * ((model.discriminator_b(2 * batch.x[2:] - 1) - 1) ** 2).mean()
    torch.testing.assert_close(d.loss, of_fakes + real)
