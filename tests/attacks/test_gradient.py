"""Attacks against known answers: on a linear model the worst change is known in closed form."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from simulacra.attacks.balls import Norm
from simulacra.attacks.gradient import CONFIDENT, AdversarialExamples, fgsm, from_noise, pgd, smallest
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, RunError
from simulacra.models.autoencoder.card import AutoencoderConfig
from simulacra.models.classifier.card import ClassifierConfig
from simulacra.models.classifier.model import Classifier
from simulacra.models.registry import build
from tests.attacks.linear import Linear, middling


def classified(model: Linear, x: torch.Tensor) -> torch.Tensor:
    return (model.margin(x).detach() > 0).long()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_worst_change_of_a_linear_logit(norm: Norm) -> None:
    model, x = Linear(), middling()
    y, w = classified(model, x), model.w.detach()
    direction = w.sign() if norm == "linf" else w / w.norm()
    worst = x - 0.2 * (2 * y - 1)[:, None, None, None] * direction
    torch.testing.assert_close(fgsm(model, x, y, 0.2, norm).x, worst)
    found = pgd(model, x, y, 0.2, Noise(0), norm)
    assert torch.equal(found.fooled, classified(model, worst) != y)
    torch.testing.assert_close(getattr(found, norm), torch.full((20,), 0.2))
    # in a round ball 2.5 epsilon of steps leave e^-2.5 of the angle between start and optimum
    moved, most = model.margin(found.x) - model.margin(x), model.margin(worst) - model.margin(x)
    assert (moved / most > (0.9999 if norm == "linf" else 0.97)).all()


@pytest.mark.parametrize("target", [None, 1])
def test_the_smallest_change_is_the_distance_to_the_plane(target: int | None) -> None:
    model, x = Linear(), middling()
    y = classified(model, x)
    distance = model.margin(x).detach().abs() / model.w.detach().norm()
    found = smallest(model, x, y, Noise(0), target=target)
    assert found.fooled.all()
    # images of the target are there already
    expected = distance if target is None else distance.where(y == 0, 0.0)
    torch.testing.assert_close(found.l2, expected, atol=3e-3, rtol=0)
    assert (found.l2 >= expected - 1e-5).all()


def test_what_cannot_be_fooled_stays_as_it_was() -> None:
    model, x = Linear(), middling()
    y = classified(model, x)
    with torch.no_grad():
        model.b += 1000
    found = smallest(model, x, torch.ones_like(y), Noise(0), bisections=3)
    assert not found.fooled.any()
    assert torch.equal(found.x, x)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_changes_stay_in_the_ball_and_pixels_in_the_box(norm: Norm) -> None:
    model, x = Linear(), torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(2)).round()
    y = classified(model, x)
    for found in (fgsm(model, x, y, 0.7, norm), pgd(model, x, y, 0.7, Noise(0), norm, 10, restarts=2)):
        assert found.x.min() >= 0
        assert found.x.max() <= 1
        assert (getattr(found, norm) <= 0.7001).all()


def net() -> Classifier:
    torch.manual_seed(0)
    model = Classifier(DataSpec("image", (1, 8, 8), ("a", "b", "c")), ClassifierConfig(width=4, hidden=(8,)))
    # as sure as if it were trained
    with torch.no_grad():
        model.net.last.weight *= 100
    return model


def images() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.rand(12, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3


def every(model: Model, seed: int = 0, target: int | None = None) -> dict[str, AdversarialExamples]:
    x, y = images()
    found = {
        "fgsm": fgsm(model, x, y, 0.1, target=target),
        "pgd": pgd(model, x, y, 0.1, Noise(seed), "l2", 5, 2, target),
        "smallest": smallest(model, x, y, Noise(seed), 5, 4, target),
    }
    if target is not None:
        found["noise"] = from_noise(model, torch.full_like(y, target), Noise(seed), 20, confident=0.9)
    return found


def test_a_target_becomes_more_likely() -> None:
    model = net().eval()
    with torch.no_grad():
        # the second of three: within reach of a few steps
        target = int(model.predict(images()[0]).probs.mean(dim=0).argsort()[1])
    for found in every(model, target=target).values():
        with torch.no_grad():
            before = model.predict(found.start).probs
        assert found.probabilities[:, target].mean() > before[:, target].mean()
        assert (found.probabilities[:, target] >= before[:, target] - 1e-6).float().mean() > 0.9


def test_the_same_seed_gives_the_same_images() -> None:
    model = net()
    first, second, other = every(model, 0, 1), every(model, 0, 1), every(model, 1, 1)
    for name in first:
        assert torch.equal(first[name].x, second[name].x)
    assert not torch.equal(first["pgd"].x, other["pgd"].x)


def test_the_model_is_left_as_it_was() -> None:
    model = net().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.net.last.bias.requires_grad_(False)
    with torch.no_grad():
        every(model, target=0)
    assert model.training
    assert model.net.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert [p.requires_grad for p in model.parameters()].count(False) == 1


def test_more_starts_are_no_worse() -> None:
    model, (x, y) = net(), images()
    one, more = (pgd(model, x, y, 0.05, Noise(0), steps=2, restarts=n) for n in (1, 6))
    assert (more.fooled >= one.fooled).all()
    of = [found.probabilities.gather(1, y[:, None]).mean() for found in (one, more)]
    assert of[1] < of[0]


def test_noise_becomes_what_it_is_told() -> None:
    model = Linear()
    wanted = torch.arange(10) % 2
    found = from_noise(model, wanted, Noise(0))
    assert found.fooled.all()
    assert (found.probabilities.gather(1, wanted[:, None]) > CONFIDENT).all()
    assert not from_noise(model, wanted, Noise(0), steps=0).fooled.all()


def test_mistakes_are_said() -> None:
    x, y = images()
    with pytest.raises(ConfigError, match="classes 0 to 2, not 3"):
        fgsm(net(), x, y, 0.1, target=3)
    with pytest.raises(ConfigError, match="at least 1"):
        pgd(net(), x, y, 0.1, Noise(0), steps=0)
    autoencoder = build("autoencoder", net().spec, AutoencoderConfig(latent_dim=2))
    with pytest.raises(RunError, match="train a classifier"):
        fgsm(autoencoder, x, y, 0.1)


def test_against_foolbox() -> None:
    foolbox: Any = pytest.importorskip("foolbox")
    model, (x, y) = net().eval(), images()
    # not prepared, so it standardises by 0 and 1
    theirs = foolbox.PyTorchModel(model.net, bounds=(0, 1), device="cpu")
    one_step: dict[Norm, Any] = {
        "linf": foolbox.attacks.LinfFastGradientAttack,
        "l2": foolbox.attacks.L2FastGradientAttack,
    }
    for norm, attack in one_step.items():
        expected = attack(random_start=False)(theirs, x, y, epsilons=0.1)[1]
        torch.testing.assert_close(fgsm(model, x, y, 0.1, norm).x, expected)
