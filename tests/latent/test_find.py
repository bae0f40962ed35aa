"""Directions of normals, whose truth is known: what is found, how surely, and how well it separates."""

import numpy as np
import pytest
import torch
from scipy.stats import norm  # type: ignore[import-untyped]  # SciPy has no types
from torch import Tensor

from simulacra.errors import ConfigError, DataError
from simulacra.latent.directions import Direction
from simulacra.latent.find import Examples, cautions, labelled, logistic, means, principal, sefa


def normals(d: Tensor, n: int, seed: int, scale: Tensor | float = 1.0) -> Examples:
    """n latents of N(d / 2, scale^2) and n of N(-d / 2, scale^2)."""
    generator = torch.Generator().manual_seed(seed)
    z = scale * torch.randn(2, n, *d.shape, generator=generator)
    return Examples(z[0] + d / 2, z[1] - d / 2)


def difference(size: int, length: float) -> Tensor:
    """A difference of means along four axes."""
    d = torch.zeros(size)
    d[:4] = length / 2
    return d


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.double(), b.double(), dim=0))


def test_the_difference_of_means_is_found() -> None:
    d = difference(8, 2.0)
    found = labelled("a", "z", normals(d, 4000, 0))
    assert torch.allclose(found.vector, d, atol=0.08)
    assert found.details["examples"] == {"with": 4000, "without": 4000}
    assert found.details["error"]["angle"] < 3
    assert not found.details["error"]["lower_bound"]
    assert found.details["threshold"] == pytest.approx(0, abs=0.1)


def test_the_logistic_normal_is_that_of_linear_discriminant_analysis() -> None:
    d, scale = difference(6, 2.0), torch.linspace(0.5, 2.0, 6)
    examples = normals(d, 20_000, 0, scale)
    positive, negative = examples.positive.double().numpy(), examples.negative.double().numpy()
    found = torch.from_numpy(logistic(positive, negative))
    # equal covariances: the normal is S^-1 (m1 - m0)
    normal = (d / scale**2).double()
    assert cosine(found, normal) > 0.999
    assert cosine(torch.from_numpy(means(positive, negative)), normal) < 0.9
    unit = normal / normal.norm()
    assert float(found.norm()) == pytest.approx(float(unit @ d.double()), rel=0.02)


def test_dimensions_that_hardly_vary_are_left_out_of_a_logistic_normal() -> None:
    # as in a VAE that uses two of eight latents
    d, scale = difference(8, 2.0), torch.tensor([1.0, 1.0, *[1e-3] * 6])
    d[2:] = 0
    examples = normals(d, 500, 0, scale)
    found = logistic(examples.positive.double().numpy(), examples.negative.double().numpy())
    assert (found[2:] == 0).all()
    assert cosine(torch.from_numpy(found), d.double()) > 0.98


@pytest.mark.parametrize(
    ("size", "length", "n"), [(8, 2.0, 20), (32, 2.0, 20), (128, 3.0, 20), (128, 3.0, 100)]
)
def test_the_bootstrap_error_is_that_of_repeated_draws(size: int, length: float, n: int) -> None:
    d = difference(size, length)
    found = [labelled("a", "z", normals(d, n, seed), seed=seed) for seed in range(30)]
    truth = np.mean([cosine(one.vector, d) for one in found])
    estimated = np.mean([one.details["error"]["cosine"] for one in found])
    assert estimated == pytest.approx(truth, abs=0.03)
    angle = found[0].details["error"]["angle"]
    assert np.cos(np.radians(angle)) == pytest.approx(found[0].details["error"]["cosine"])


def test_held_out_accuracy_is_that_of_the_normals() -> None:
    d = difference(8, 2.0)
    held = normals(d, 5000, 1)
    # a rare attribute: as many of the others are used
    rare = Examples(held.positive[:1000], held.negative)
    accuracy = labelled("a", "z", normals(d, 2000, 0), rare).details["held_out_accuracy"]
    assert accuracy["n"] == 2000
    # |d| = 2 and unit variance: half of it lies between the midpoint and each mean
    assert accuracy["low"] < norm.cdf(1.0) < accuracy["high"]
    # (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), Wilson 1927
    p, n, z = accuracy["value"], accuracy["n"], norm.ppf(0.975)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert accuracy["low"] == pytest.approx((p + z * z / (2 * n) - half) / (1 + z * z / n))
    assert accuracy["high"] == pytest.approx((p + z * z / (2 * n) + half) / (1 + z * z / n))


def test_without_held_out_examples_it_is_cross_validated() -> None:
    nothing = [
        labelled("a", "z", normals(torch.zeros(50), 20, seed)).details["held_out_accuracy"]
        for seed in range(20)
    ]
    # in 50 dimensions 40 examples are always separable
    assert np.mean([one["value"] for one in nothing]) == pytest.approx(0.5, abs=0.06)
    assert nothing[0]["n"] == 40
    assert nothing[0]["measured_on"] == "cross-validation"
    clear = labelled("a", "z", normals(difference(8, 8.0), 20, 0)).details["held_out_accuracy"]
    assert clear["value"] == 1.0


@pytest.mark.parametrize("method", ["means", "logistic"])
def test_projection_leaves_others_alone(method: str) -> None:
    examples = normals(difference(16, 2.0), 30, 0)
    others = [Direction(f"o{i}", "z", torch.randn(16), "means") for i in range(3)]
    found = labelled("a", "z", examples, method=method, others=others)
    assert max(abs(found.cosine(other)) for other in others) < 1e-6
    plain = labelled("a", "z", examples, method=method)
    assert plain.details["error"]["lower_bound"] == (method == "logistic")
    assert torch.allclose(found.vector, plain.orthogonal(*others).vector)
    assert found.details["orthogonal_to"] == ["o0", "o1", "o2"]


def test_a_stack_of_styles_keeps_its_shape() -> None:
    d = difference(12, 4.0).reshape(3, 4)
    assert labelled("a", "w+", normals(d, 50, 0)).vector.shape == (3, 4)


def test_too_few_examples_or_equal_ones() -> None:
    z = normals(torch.ones(3), 20, 0)
    with pytest.raises(DataError, match="there is 1 example with it; at least 2 of each kind are needed"):
        labelled("a", "z", Examples(z.positive[:1], z.negative[:2]))
    with pytest.raises(DataError, match="there are 0 examples without it"):
        labelled("a", "z", Examples(z.positive, z.negative[:0]))
    with pytest.raises(DataError, match="are the same"):
        labelled("a", "z", Examples(z.positive, z.positive))
    with pytest.raises(ConfigError, match=r"method: unknown 'mean', did you mean 'means'\?"):
        labelled("a", "z", z, method="mean")
    unsure = labelled("a", "z", Examples(z.positive[:2], z.negative[:3]))
    assert cautions(unsure)[0] == "direction 'a' comes from 2 + 3 examples; take 10 or more of each kind"
    # the angle of few examples may be far too small by chance
    assert unsure.details["error"] is None
    assert labelled("a", "z", Examples(z.positive[:9], z.negative)).details["error"] is None
    assert labelled("a", "z", Examples(z.positive[:10], z.negative[:10])).details["error"]["angle"] > 0
    assert cautions(labelled("a", "z", z, z)) == []
    nothing = normals(torch.zeros(30), 20, 0)
    (text,) = cautions(labelled("a", "z", nothing, normals(torch.zeros(30), 200, 1)))
    assert "does not separate held-out data better than chance" in text


def test_principal_components_of_latents() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(5000, 4, generator=generator) * torch.tensor([1.0, 3.0, 0.5, 2.0]) + 7
    vectors, shares = principal(z, z, 2)
    values, axes = np.linalg.eigh(np.cov(z.double().numpy().T, bias=True))
    for k in range(2):
        expected = axes[:, -1 - k] * np.sqrt(values[-1 - k])
        expected *= np.sign(expected[np.abs(expected).argmax()])
        np.testing.assert_allclose(vectors[k], expected, atol=1e-5)
    np.testing.assert_allclose(shares, (values / values.sum())[::-1][:2])
    assert len(principal(z, z, 10)[0]) == 4


@pytest.mark.parametrize("size", [5, 900])
def test_components_of_features_are_brought_back_to_latents(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(800, 4, generator=generator)
    # x = U S V^T z: its components are the columns of U, and z moves along those of V
    U = torch.linalg.qr(torch.randn(size, 4, generator=generator))[0]
    V = torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    vectors, _ = principal(z, z @ V * torch.tensor([8.0, 4.0, 2.0, 1.0]) @ U.T, 4)
    for k in range(4):
        assert abs(cosine(vectors[k], V[:, k])) > 0.99
        assert float(vectors[k].norm()) == pytest.approx(1, abs=0.1)


def test_sefa_is_the_singular_value_decomposition() -> None:
    A = torch.randn(20, 6, generator=torch.Generator().manual_seed(0))
    vectors, shares = sefa(A, 4)
    _, sizes, V = torch.linalg.svd(A.double(), full_matrices=False)
    for k in range(4):
        assert abs(cosine(vectors[k], V[k])) == pytest.approx(1, abs=1e-6)
        assert vectors[k].abs().max() == vectors[k].max()
    np.testing.assert_allclose(shares, (sizes**2 / (sizes**2).sum())[:4])
    assert len(sefa(A, 100)[0]) == 6


def test_single_channels_that_separate() -> None:
    # channel 7 differs by three standard deviations, channel 4 by one; the second never varies
    random = np.random.default_rng(0)
    negative, positive = random.normal(size=(2, 300, 10)) * 5
    positive[:, 7] += 15
    positive[:, 4] += 5
    positive[:, 1] = negative[:, 1] = 2
    examples = Examples(torch.from_numpy(positive), torch.from_numpy(negative))
    one = labelled("x", "s", examples, method="channels")
    assert one.vector.nonzero().flatten().tolist() == [7] == one.details["channels"]
    assert one.vector[7] == pytest.approx(15, abs=1.5)
    assert one.details["held_out_accuracy"]["value"] == pytest.approx(norm.cdf(1.5), abs=0.04)
    two = labelled("x", "s", examples, method="channels", count=2)
    assert two.details["channels"] == [4, 7]
    # where fewer vary
    every = labelled("x", "s", examples, method="channels", count=99)
    assert every.details["channels"] == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    with pytest.raises(ConfigError, match="method: channels moves few numbers"):
        labelled("x", "s", examples, method="channels", others=[two])
