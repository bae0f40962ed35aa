"""Directions at layers of models with styles: known weights, and what they leave alone bit for bit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import simulacra as sim
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, RunError
from simulacra.latent.directions import Direction
from simulacra.latent.find import sefa
from simulacra.latent.layers import at_layers, layer_mask, style_weights
from tests.latent.layered import Layered

W = 8


def stylegan() -> sim.StyleGAN:
    config = sim.StyleGAN.card.Config(latent_dim=W, width=4, widest=8)
    return sim.StyleGAN(DataSpec("image", (3, 16, 16)), config).eval()


def direction(space: str, *shape: int) -> Direction:
    return Direction("it", space, torch.ones(shape), "means", {"threshold": 0.5})


def test_the_weights_of_all_affine_maps_are_found() -> None:
    model = stylegan()
    affines = [affine.weight.detach() * affine.gain for affine in model.generator.affines]
    assert torch.allclose(style_weights(model, model.space("w")), torch.cat(affines), atol=1e-6)
    A = style_weights(model, model.space("w+")).unflatten(1, (6, W))
    for rows, layer, weight in zip(model.style_slices, model.style_layers, affines, strict=True):
        assert torch.allclose(A[rows, layer], weight, atol=1e-6)
        assert not A[rows][:, [k for k in range(6) if k != layer]].any()


def test_sefa_finds_what_the_styles_of_chosen_layers_see() -> None:
    model = stylegan()
    for layer, affine in zip(model.style_layers, model.generator.affines, strict=True):
        # the coarse layer sees the third number of w, the others the fifth, twice as strongly
        nn.init.zeros_(affine.weight)
        with torch.no_grad():
            affine.weight[:, 4 if layer else 2] = 2.0 if layer else 1.0
    units, shares = sefa(style_weights(model, model.space("w")), 10)
    assert units.argmax(dim=1).tolist() == [4, 2]
    assert sum(shares) == pytest.approx(1)
    units, _ = sefa(style_weights(model, model.space("w"), "coarse"), 10)
    assert units.argmax(dim=1).tolist() == [2]
    units, _ = sefa(style_weights(model, model.space("w+"), "coarse,middle"), 10)
    assert sorted(units.argmax(dim=1).tolist()) == [2, W + 4, 2 * W + 4]


@pytest.mark.parametrize("layers", ["coarse", "middle", "fine", "1,4-5"])
def test_the_styles_of_other_layers_are_the_same_bits(layers: str) -> None:
    model = stylegan()
    chosen = model.layers(layers)
    w = model.space("w+").sample(5, sim.core.noise.Noise(0))
    moved = at_layers(model, direction("w", W), layers)
    assert (moved.space, moved.vector.shape) == ("w+", (6, W))
    assert moved.details["threshold"] == 0.5 * len(chosen)
    before, after = model.channel_styles(w), model.channel_styles(moved.apply(w, 2.0))
    for rows, layer in zip(model.style_slices, model.style_layers, strict=True):
        assert torch.equal(before[:, rows], after[:, rows]) == (layer not in chosen)
    # and so in w+ and s
    stack = at_layers(model, direction("w+", 6, W), layers)
    assert torch.equal(stack.vector, moved.vector)
    s = at_layers(model, direction("s", model.space("s").size), layers)
    assert torch.equal(s.vector, layer_mask(model, "s", layers))
    assert torch.equal(s.vector > 0, (after - before).abs().sum(dim=0) > 0)


def test_all_layers_are_the_direction_itself() -> None:
    model = stylegan()
    z = torch.randn(3, W)
    one = direction("w", W)
    every = at_layers(model, one, "coarse,middle,fine")
    w, stack = (model.styles(z, "z")[:, 0], model.styles(z, "z"))
    edited: list[Tensor] = [
        model.decode(one.apply(w), "w").mean,
        model.decode(every.apply(stack), "w+").mean,
    ]
    assert torch.equal(*edited)


def test_layers_of_one_class() -> None:
    class Given(sim.ConditionalGAN):
        def for_class(self, y: int | str) -> Layered:  # type: ignore[override]
            return Layered()

    conditional = Given(DataSpec("image", (1, 8, 8), ("a", "b")), Given.card.Config())
    assert at_layers(conditional, direction("w", 4), "coarse").vector.any(dim=1).tolist() == [
        True,
        False,
        False,
    ]


def test_what_has_no_layers() -> None:
    model = stylegan()
    with pytest.raises(ConfigError, match="latents of 'z' have no layers; choose --space w"):
        at_layers(model, direction("z", W), "coarse")
    with pytest.raises(ConfigError, match="cannot read 'corse'"):
        at_layers(model, direction("w", W), "corse")
    with pytest.raises(ConfigError, match="direction 'it' is 0 in the layers fine; choose others"):
        at_layers(model, at_layers(model, direction("w", W), "coarse"), "fine")
    gan = sim.GAN(DataSpec("image", (1, 8, 8)), sim.GAN.card.Config())
    with pytest.raises(RunError, match=r"layers: this GAN has no styles.*train a stylegan"):
        at_layers(gan, direction("z", 64), "coarse")
