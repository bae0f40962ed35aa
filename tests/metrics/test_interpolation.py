"""Path lengths and the realism of midpoints where both are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import simulacra as sim
from simulacra.core.capabilities import Decodes, Discriminates, Encodes, EstimatesLikelihood
from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.core.noise import Noise
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.latent.paths import lerp, slerp
from simulacra.metrics.features import load_extractor
from simulacra.metrics.interpolation import PAIRS, path_lengths, preferred
from simulacra.probability.distributions import Delta
from tests.models.test_contract import CASES, SPECS, built, dataset

SPEC = DataSpec("vector", (2,))
DECODERS = [(name, kind) for name, kind in CASES if kind != "text" and isinstance(built(name, kind), Decodes)]


class TwoPoints(StandardNormal):
    """(-10, 0) or (10, 0), equally likely."""

    formula = "two points"

    def sample(self, n: int, noise: Noise) -> Tensor:
        signs = 2 * (noise.uniform(n) < 0.5).float() - 1
        return torch.stack([10 * signs, torch.zeros(n)], dim=1)


class Plane(Decodes, Discriminates, EstimatesLikelihood):
    """x = z; what is far from 0 is real, and what is near it is likely."""

    exact = True

    def __init__(self) -> None:
        super().__init__(SPEC, None)
        self.spaces = (LatentSpace("z", (2,), TwoPoints((2,))),)
        self.register_buffer("one", torch.ones(()))

    def decode(self, z: Tensor, space: str | None = None) -> Any:
        return Delta(z)

    def discriminate(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return x.norm(dim=1)

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        return -x.norm(dim=1)


def two_clusters(n: int) -> Data:
    rng = np.random.default_rng(0)

    def part(n: int) -> Dataset:
        x = rng.normal(size=(n, 2)) + 10 * np.array([1, 0]) * rng.choice([-1, 1], (n, 1))
        return Dataset(SPEC, x.astype(np.float32))

    return Data("clusters", part(n), part(0), part(n))


def test_midpoints_between_two_clusters() -> None:
    found = sim.evaluate(Plane(), two_clusters(1500), metrics=["interpolation"])
    z = TwoPoints((2,)).sample(2 * PAIRS, Noise(0))
    alike = (z[:PAIRS] == z[PAIRS:]).all(dim=1).double().mean().item()
    assert 0.4 < alike < 0.6
    assert (found["pairs"], found["ends"], found["real"]) == (PAIRS, "prior", 1500)
    assert found["end_precision"] == 1
    assert found["end_precision_error"] == 0
    # between different points the line passes 0 and the arc (0, 10), both far from the data
    for name in ("linear", "slerp"):
        assert found[f"midpoint_precision_{name}"] == pytest.approx(alike)
        error = (alike * (1 - alike) / PAIRS) ** 0.5
        assert found[f"midpoint_precision_{name}_error"] == pytest.approx(error)
    # alike points tie; at 0 nothing is real and everything likely, on the arc all is as at the ends
    assert found["midpoint_discriminator_linear"] == pytest.approx(alike / 2)
    assert found["midpoint_likelihood_linear"] == pytest.approx(
        1 - (z[:200] == z[PAIRS : PAIRS + 200]).all(dim=1).double().mean().item() / 2
    )
    assert found["real_against_real"]["end_precision"] > 0.9


class Line(Decodes):
    """Vectors x = z."""

    def __init__(self, d: int) -> None:
        super().__init__(DataSpec("vector", (d,)), None)
        self.spaces = (LatentSpace.normal(d),)
        self.register_buffer("one", torch.ones(()))

    def decode(self, z: Tensor, space: str | None = None) -> Any:
        return Delta(z)


def test_path_lengths_are_squared_speeds() -> None:
    d, raw = 8, load_extractor("raw")
    a, b = (Noise(seed).normal(50, d) for seed in (1, 2))
    a, b = (3 * z / z.norm(dim=1, keepdim=True) for z in (a, b))
    straight = path_lengths(Line(d), a, b, lerp, raw)
    np.testing.assert_allclose(straight, (a - b).square().mean(dim=1), rtol=1e-3)
    angle = torch.acos((a * b).sum(dim=1) / 9)
    # the chord of a short arc is shorter by eps^2 / 24
    np.testing.assert_allclose(path_lengths(Line(d), a, b, slerp, raw), (3 * angle) ** 2 / d, rtol=1e-3)


def test_steps_below_8_bits_are_seen_in_images() -> None:
    model: Any = built("vae", "grey").eval()
    a, b = (model.latent.sample(5, Noise(seed)) for seed in (1, 2))
    lengths = path_lengths(model, a, b, slerp, load_extractor("raw"))
    assert (lengths > 0).all()
    # the squared speed of the unit vectors of pixels, by central differences
    t = 0.999 * Noise(0).uniform(5).double() + 0.0005

    def unit(s: Tensor) -> Tensor:
        x = model.decode(slerp(a.double(), b.double(), s).float()).mean.flatten(1)
        return torch.nn.functional.normalize(x, dim=1)

    h = 2e-3
    with torch.no_grad():
        speed = (unit(t + h) - unit(t - h)) / (2 * h)
    np.testing.assert_allclose(lengths, speed.square().sum(dim=1), rtol=0.1)


def test_preferences_count_ties_as_half() -> None:
    middle, ends = torch.tensor([1.0, 1.0, 0.0]), (torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, 0, 1]))
    assert preferred(middle, ends).tolist() == [0.5, 1, 0]


@pytest.mark.parametrize(("name", "kind"), DECODERS, ids=[f"{Path(m).name}-{k}" for m, k in DECODERS])
def test_every_model_that_decodes_is_measured(name: str, kind: str) -> None:
    model: Any = built(name, kind).eval()
    spec = SPECS[kind]
    data = Data("some", dataset(spec), dataset(spec).take(slice(0, 0)), dataset(spec))
    found = sim.evaluate(model, data, metrics=["interpolation"], importance_samples=2)
    assert found["ends"] == ("encodings" if model.latent.prior is None else "prior")
    for curve in ("linear", "slerp"):
        assert 0 <= found[f"midpoint_precision_{curve}"] <= 1
        assert found[f"path_length_{curve}"] > 0
        assert found[f"path_length_{curve}_error"] > 0
        for key, needed in (("discriminator", Discriminates), ("likelihood", EstimatesLikelihood)):
            assert (f"midpoint_{key}_{curve}" in found) == isinstance(model, needed)


def test_too_few_examples_are_left_out() -> None:
    found = sim.evaluate(Plane(), two_clusters(5), metrics=["interpolation"])
    assert found["left_out"] == "interpolation needs 6 examples, not 5"


def test_encodings_are_not_of_the_examples_that_midpoints_are_compared_with() -> None:
    model: Any = built("autoencoder", "grey").eval()
    assert isinstance(model, Encodes)
    data = dataset(SPECS["grey"])
    alone = Data("some", data, data.take(slice(0, 0)), data.take(slice(0, 0)))
    found = sim.evaluate(model, alone, split="train", metrics=["interpolation"])
    assert found["left_out"] == "interpolation needs a prior, or examples that it is not measured on"
