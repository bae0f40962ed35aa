"""Mixing styles: all layers give the source and none the destination, for every model with styles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError, RunError
from simulacra.models.registry import MODELS, build
from simulacra.tasks.mix import figure, seed_styles
from tests.tasks.rows import Config, Rows

SPEC = DataSpec("image", (1, 8, 8), ("a", "b"))


def made(name: str) -> Any:
    torch.manual_seed(0)
    if name == "rows":
        return Rows(SPEC, Config())
    model: Any = build(name, SPEC, MODELS[name].Config(latent_dim=4, width=4)).eval()
    with torch.no_grad():
        for affine in model.generator.affines:
            affine.weight.mul_(10)
    return model


@pytest.mark.parametrize("name", ["rows", "stylegan", "conditional_stylegan"])
def test_all_layers_are_the_source_and_the_others_the_destination(name: str) -> None:
    model = made(name)
    classes = ("a", "b") if name.startswith("conditional") else ()
    of_sources, of_destinations = (model.for_class(k) for k in classes) if classes else (model, model)
    kwargs = {"truncation": 0.7, "classes": classes}
    L = len(of_sources.resolutions)
    y = sim.mix(model, [1, 2, 3], [4, 5], f"0-{L - 1}", **kwargs)
    assert y.shape == (2, 3, 1, 8, 8)
    for k, seed in enumerate((1, 2, 3)):
        x = of_sources.sample(1, seed, truncation=0.7)
        torch.testing.assert_close(y[:, k], x.expand(2, -1, -1, -1))
    # what takes no style of the source takes all of the destination
    first = sim.mix(model, [1, 2, 3], [4, 5], "0", **kwargs)
    rest = sim.mix(model, [4, 5], [1, 2, 3], f"1-{L - 1}", truncation=0.7, classes=classes[::-1])
    torch.testing.assert_close(first, rest.transpose(0, 1))
    same = sim.mix(model, [4], [4], "coarse", truncation=0.7, classes=classes[1:])
    torch.testing.assert_close(same[0], of_destinations.sample(1, 4, truncation=0.7))


def test_layers_take_their_own_rows() -> None:
    model, w = Rows(SPEC, Config()), torch.arange(8.0).reshape(2, 4, 1)
    y = sim.mix(model, w[:1], w[1:], "middle,3")
    rows = (y[0, 0, 0, ::2, 0] - 0.5) * 100
    # B n adds 0, .03 and .06
    torch.testing.assert_close(rows, torch.tensor([4.0, 1.0, 6.0, 3.0]) + torch.tensor([0.0, 3.0, 6.0, 0.0]))


def test_sources_stand_above_and_destinations_beside() -> None:
    model = Rows(SPEC, Config())
    top, left = seed_styles(model, [1, 2, 3]), seed_styles(model, [4, 5])
    picture = figure(model, top, left, ["coarse", "0-3"])
    # cells of 32 + 2 pixels; a title of 16 above each group of rows
    assert picture.shape == (36 + 2 * (16 + 2 * 34 + 2), 4 * 34 + 2, 3)

    def cell(row: int, column: int, top: int) -> np.ndarray:
        return picture[top + 2 + 34 * row :, 2 + 34 * column :][:32:4, :32:4, 0]

    assert (cell(0, 0, 0) == 255).all()
    for k, seed in enumerate((1, 2, 3)):
        expected = (model.sample(1, seed)[0, 0] * 255).round().numpy()
        assert np.array_equal(cell(0, k + 1, 0), expected)
        # all layers
        assert np.array_equal(cell(1, k + 1, 36 + 16 + 70 + 16), expected)
    for k, seed in enumerate((4, 5)):
        expected = (model.sample(1, seed)[0, 0] * 255).round().numpy()
        assert np.array_equal(cell(k, 0, 36 + 16), expected)
        assert np.array_equal(cell(k, 1, 36 + 16)[2:], expected[2:])
        assert not np.array_equal(cell(k, 1, 36 + 16)[:2], expected[:2])


@pytest.mark.parametrize(
    ("name", "arguments", "kind", "said"),
    [
        ("rows", ([1], [2], "corse"), ConfigError, "layers: cannot read 'corse'; write coarse, middle, fine"),
        ("rows", ([1], [2], "0-4"), ConfigError, "numbers from 0 to 3"),
        ("rows", ([], [2]), ConfigError, "give at least one seed"),
        ("rows", ([1], [-2]), ConfigError, "seeds must be 0 or more"),
        (
            "rows",
            (torch.zeros(1, 3, 1), [2]),
            ConfigError,
            "sources: the latents have shape (1, 3, 1); w+ has",
        ),
        ("rows", ([1], [2], "0", 1.0, ["a"]), RunError, "Rows is not conditioned on classes"),
        ("gan", ([1], [2]), RunError, "this GAN has no styles for its layers; train a stylegan"),
        ("conditional_gan", ([1], [2]), RunError, "this ConditionalGAN has no styles for its layers"),
        ("conditional_stylegan", ([1], [2]), RunError, "conditioned on a class: choose one for all"),
        ("conditional_stylegan", ([1], [2], "0", 1.0, ["c"]), ConfigError, "unknown 'c'"),
        ("conditional_stylegan", ([1], [2], "0", 1.0, ["a"] * 3), ConfigError, "3 classes: give one for all"),
    ],
)
def test_wrong_calls_are_answered(name: str, arguments: Any, kind: type[Exception], said: str) -> None:
    model = build(name, SPEC, MODELS[name].Config()) if "gan" in name else made(name)
    with pytest.raises(kind) as error:
        sim.mix(model, *arguments)
    assert said in str(error.value)


def test_a_path_is_not_a_model() -> None:
    with pytest.raises(ConfigError, match="the model is a str; pass a model"):
        sim.mix("runs/stylegan", [1], [2])


def test_an_image_of_8_pixels_has_no_fine_layers() -> None:
    model = made("stylegan")
    assert model.groups == {"coarse": [0], "middle": [1, 2, 3]}
    with pytest.raises(ConfigError, match="cannot read 'fine'; write coarse, middle, or numbers from 0 to 3"):
        sim.mix(model, [1], [2], "fine")
    # a title and a row for each group
    w = seed_styles(model, [1])
    assert figure(model, w, w).shape[0] == 36 + 2 * (16 + 36)


def test_truncation_moves_seeds_towards_the_mean() -> None:
    model = made("stylegan")
    w = seed_styles(model, [1, 2], truncation=0.0)
    assert torch.equal(w[0], w[1])
    z = model.space("w").sample(64, Noise(1))[:1]
    torch.testing.assert_close(seed_styles(model, [1])[:, 0], z)
