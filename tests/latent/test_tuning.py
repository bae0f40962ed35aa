"""Pivotal tuning, and deltas against the weights that they stand for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import simulacra as sim
from simulacra.core.noise import Noise
from simulacra.errors import RunError
from simulacra.latent.tuning import apply, compress, tune
from simulacra.probability.distributions import Delta
from tests.latent.test_project import SPEC, Linear, images


def generator() -> Any:
    torch.manual_seed(0)
    return sim.GAN(SPEC, sim.MODELS["gan"].Config(latent_dim=4, net="mlp", hidden=(32,))).eval()


@torch.no_grad()
def error(model: Any, z: Tensor, x: Tensor) -> float:
    return float((model.decode(z).mean - x).square().mean())


def test_pivots_are_decoded_to_their_images_and_the_model_stays() -> None:
    model, x = generator(), images(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    z = model.latent.sample(2, Noise(3))
    delta = tune(model, z, x, steps=150, perceptual=0)
    # the discriminator takes no part
    assert {name.split(".")[0] for name in delta} == {"generator"}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(parameter.grad is not None for parameter in model.parameters())
    tuned = apply(generator(), delta)
    assert error(tuned, z, x) < 0.2 * error(model, z, x)
    assert {name: value.tolist() for name, value in tune(model, z, x, steps=150, perceptual=0).items()} == {
        name: value.tolist() for name, value in delta.items()
    }


def test_locality_keeps_other_samples() -> None:
    model, x = generator(), images(2)
    z, others = model.latent.sample(2, Noise(3)), model.latent.sample(32, Noise(9))
    moved = {}
    with torch.no_grad():
        y = model.decode(others).mean
    for locality in (0.0, 5.0):
        delta = tune(model, z, x, steps=100, perceptual=0, locality=locality)
        moved[locality] = error(apply(generator(), delta), others, y)
    assert moved[5.0] < 0.5 * moved[0.0]


def test_a_delta_is_the_change() -> None:
    linear = torch.nn.Linear(6, 5)
    new = torch.nn.Linear(6, 5)
    change = {
        name: (b - a).detach()
        for (name, a), b in zip(linear.named_parameters(), new.parameters(), strict=True)
    }
    apply(linear, compress(change))
    assert all(
        torch.allclose(a, b, atol=1e-3) for a, b in zip(linear.parameters(), new.parameters(), strict=True)
    )


def test_the_rank_fits_the_size_and_loses_least() -> None:
    strong, weak = 10 * torch.randn(40, 1) @ torch.randn(1, 30), 0.01 * torch.randn(40, 30)
    change = {"a": strong + weak, "b": weak.clone(), "c": torch.ones(3)}
    delta = compress(change, size=600)
    assert sum(value.nbytes for value in delta.values()) <= 600
    # a direction of a takes (40 + 30) 2 bytes
    assert len(delta["a.right"]) + len(delta.get("b.right", ())) == (600 - 6) // 140
    model = torch.nn.ParameterDict({"a": torch.zeros(40, 30), "b": torch.zeros(40, 30), "c": torch.zeros(3)})
    apply(model, delta)
    assert torch.allclose(model["a"], change["a"], atol=0.2)


def test_a_delta_of_another_model_is_refused_whole() -> None:
    model = torch.nn.Linear(3, 3)
    before = model.weight.clone()
    for delta in ({"weight": torch.ones(3, 3), "other": torch.ones(1)}, {"weight": torch.ones(2, 2)}):
        with pytest.raises(RunError, match="belong to another model"):
            apply(model, delta)
    assert torch.equal(model.weight, before)


def test_a_model_without_weights_is_refused() -> None:
    class Fixed(Linear):
        def decode(self, z: Tensor, space: str | None = None) -> Delta:
            return Delta(z.new_zeros(len(z), *SPEC.shape))

    with pytest.raises(RunError, match="this Fixed has no weights to tune"):
        tune(Fixed(), torch.zeros(1, 6), images(1))
