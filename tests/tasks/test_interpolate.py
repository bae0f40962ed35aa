"""Interpolation from Python: ends, classes, examples, over every model that decodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import simulacra as sim
from simulacra.core.capabilities import Conditional, Decodes, Encodes, Reconstructs
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError, DataError, RunError, SimulacraError
from simulacra.tasks.interpolate import Points, class_means, from_examples, from_seeds, walk
from tests.models.test_contract import CASES, SPECS, built, dataset

TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}
DECODERS = [(name, kind) for name, kind in CASES if isinstance(built(name, kind), Decodes | Conditional)]


@pytest.fixture(params=DECODERS, ids=[f"{Path(m).name}-{k}" for m, k in DECODERS])
def case(request: pytest.FixtureRequest) -> tuple[DataSpec, Any]:
    name, kind = request.param
    return SPECS[kind], built(name, kind).eval()


def test_every_model_that_decodes_interpolates(case: tuple[DataSpec, Any]) -> None:
    spec, model = case
    classes = ("a", "b") if isinstance(model, Conditional) else None
    if model.latent.prior is None:
        with pytest.raises(RunError, match="has no prior to draw from; give images, or classes"):
            sim.interpolate(model, 1, 2)
    else:
        for curve in ("slerp", "linear"):
            x = sim.interpolate(model, 1, 2, 5, curve, classes=classes)
            assert x.shape == (5, *spec.shape)
            ends = [model.for_class(k) if classes else model for k in (0, 1)]
            for end, seed, found in zip(ends, (1, 2), (x[0], x[-1]), strict=True):
                torch.testing.assert_close(found, end.sample(1, seed, draw=False)[0], **TOLERANCE)
    if isinstance(model, Reconstructs):
        a, b = dataset(spec).x[:2]
        x = sim.interpolate(model, a, b, steps=3)
        expected = model.reconstruct(np.stack([a, b]))
        torch.testing.assert_close(x[[0, -1]], expected, **TOLERANCE)
    elif not isinstance(model, Encodes):
        with pytest.raises(RunError, match="has no encoder"):
            sim.interpolate(model, 1, dataset(spec).x[0])


@pytest.mark.parametrize("name", ["autoencoder", "vae", "pca"])
@pytest.mark.parametrize("curve", ["slerp", "linear"])
def test_the_path_between_two_encodings_of_one_image_is_its_reconstruction(name: str, curve: str) -> None:
    model: Any = built(name, "grey").eval()
    x = dataset(SPECS["grey"]).x[0]
    z = model.encode(x[None]).mean
    frames = sim.interpolate(model, x, x, 5, curve)
    assert torch.equal(frames, model.decode(z.expand(5, -1)).mean)


@pytest.mark.parametrize("kind", ["grey", "vector"])
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_weights_of_classes_are_means_of_their_conditions(kind: str, norm: str) -> None:
    torch.manual_seed(0)
    spec = DataSpec("image", (1, 16, 16), ("a", "b", "c"))
    spec = spec if kind == "grey" else DataSpec("vector", (3,), ("a", "b", "c"))
    config: Any = sim.MODELS["conditional_gan"].Config
    model = sim.ConditionalGAN(spec, config(latent_dim=4, norm=norm, width=8, hidden=(8,))).eval()
    z, one_hot = torch.randn(3, 4), torch.eye(3)
    for k in range(3):
        expected = model.for_class(k).decode(z).mean
        torch.testing.assert_close(model.decode_weighted(z, one_hot[k].expand(3, -1)).mean, expected)
    half = torch.tensor([0.5, 0.0, 0.5]).expand(3, -1)
    between = model.decode_weighted(z, half).mean
    with torch.no_grad():
        for table in [m for m in model.generator.modules() if isinstance(m, torch.nn.Embedding)]:
            table.weight[1] = (table.weight[0] + table.weight[2]) / 2
    torch.testing.assert_close(model.for_class("b").decode(z).mean, between)
    with pytest.raises(DataError, match=r"weights has shape \(3, 2\); it must be \(3, 3\), for every z"):
        model.decode_weighted(z, half[:, :2])


def test_seeds_and_classes_go_together() -> None:
    model: Any = built("conditional_gan", "grey").eval()
    fixed = sim.interpolate(model, 1, 1, 3, classes=("a", "b"))
    assert not torch.equal(fixed[0], fixed[-1])
    with pytest.raises(
        RunError, match=r"is conditioned on a class: add classes, e\.g\. a, b, or one for all"
    ):
        sim.interpolate(model, 1, 2)
    with pytest.raises(ConfigError, match="class: unknown 'c'"):
        sim.interpolate(model, 1, 2, classes=("a", "c"))
    with pytest.raises(RunError, match="not conditioned on classes"):
        sim.interpolate(built("vae", "grey"), 1, 2, classes=("a", "b"))


class Stack(Decodes):
    """Two spaces: one vector, and a stack of two styles without a prior; x is the latent itself."""

    def __init__(self) -> None:
        super().__init__(DataSpec("vector", (4,)), None)
        self.spaces = (sim.LatentSpace.normal(4), sim.LatentSpace("w+", (2, 2)))

    def decode(self, z: Tensor, space: str | None = None) -> Any:
        self.space(space)
        return torch.distributions.Independent(torch.distributions.Normal(z.flatten(1), 1.0), 1)


def test_spaces_have_their_own_defaults_and_priors() -> None:
    model = Stack()
    z = from_seeds(model, [1, 2])
    on_sphere = torch.cat(list(walk(model, Points(z), 3)))
    assert on_sphere[1].norm() == pytest.approx((z.norm(dim=1).sum() / 2).item(), rel=1e-5)
    styles = Points(z.view(2, 2, 2), space="w+")
    straight = torch.cat(list(walk(model, styles, 3)))
    torch.testing.assert_close(straight[1], z.mean(dim=0))
    with pytest.raises(RunError, match=r"'w\+' of this Stack has no prior to draw from$"):
        sim.interpolate(model, 1, 2, space="w+")
    with pytest.raises(ConfigError, match="space: unknown 'w', did you mean 'w\\+'"):
        sim.interpolate(model, 1, 2, space="w")


def test_the_mean_latents_of_classes() -> None:
    model: Any = built("vae", "grey").eval()
    data = dataset(SPECS["grey"])
    assert data.y is not None
    found = class_means(model, data, ["b", "a", "b"])
    for k, z in zip((1, 0, 1), found, strict=True):
        part = torch.from_numpy(data.x[data.y == k]).float() / 255
        torch.testing.assert_close(z, from_examples(model, part).mean(dim=0))
    with pytest.raises(ConfigError, match="classes: unknown 'c', choose from a, b"):
        class_means(model, data, ["c"])
    with pytest.raises(DataError, match="no examples of 'a'"):
        class_means(model, data.take(np.flatnonzero(data.y == 1)), ["a"])
    with pytest.raises(DataError, match="the data have no classes"):
        class_means(model, Dataset(SPECS["grey"], data.x), ["a"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 1}, "steps: must be a whole number, at least 2, not 1"),
        ({"steps": 2.5}, "steps: must be a whole number, at least 2, not 2.5"),
        ({"path": "slrp"}, "path: unknown 'slrp', did you mean 'slerp'"),
        ({"a": -1}, "seeds must be 0 or more, not -1"),
        ({"a": np.zeros((1, 9, 9))}, r"encode: x has shape \(1, 1, 9, 9\), but this model takes"),
        ({"a": "picture.png"}, "encode: x must be an array or a tensor of numbers"),
        ({"steps": 10**12}, "examples need .* of memory, .*; take fewer steps"),
        ({"model": "runs/x"}, "the model is a str; pass a model"),
        ({"model": built("classifier", "grey")}, "this Classifier has no decoder"),
    ],
)
def test_what_is_wrong_is_said(arguments: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"model": built("vae", "grey").eval(), "a": 1, "b": 2, **arguments}
    with pytest.raises(SimulacraError, match=message):
        sim.interpolate(**given)
