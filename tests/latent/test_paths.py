"""Paths against formulas of their own in float64, rotations, and what holds at their ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import chi
from torch import Tensor

from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.core.noise import Noise
from simulacra.latent.paths import Curve, default_path, four_corners, lerp, path, slerp

CURVES: list[Curve] = [slerp, lerp]


def pairs(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Iterator[Tensor]:
    noise = Noise(seed)
    yield from (noise.normal(*shape).to(dtype) for _ in range(2))


def sphere(z: Tensor, norm: float = 5.0) -> Tensor:
    return norm * z / z.norm(dim=-1, keepdim=True)


def formula(a: Tensor, b: Tensor, t: Tensor) -> np.ndarray:
    """Shoemake 1985 for |a| = |b|, in float64 and by the arc cosine."""
    p, q, s = a.double().numpy(), b.double().numpy(), t.double().numpy()[:, None]
    cosine = (p * q).sum(1) / np.linalg.norm(p, axis=1) / np.linalg.norm(q, axis=1)
    w = np.arccos(cosine)[:, None]
    result: np.ndarray = (np.sin((1 - s) * w) * p + np.sin(s * w) * q) / np.sin(w)
    return result


@pytest.mark.parametrize("d", [3, 64, 512])
def test_slerp_is_that_of_shoemake_and_keeps_the_norm(d: int) -> None:
    a, b = map(sphere, pairs(1000, d, dtype=torch.float64))
    t = Noise(1).uniform(1000).double()
    np.testing.assert_allclose(slerp(a, b, t), formula(a, b, t), atol=1e-9)
    for dtype in (torch.float32, torch.float64):
        z = slerp(a.to(dtype), b.to(dtype), t)
        assert z.dtype == dtype
        assert (z.double().norm(dim=1) / 5 - 1).abs().max() < 1e-6


@pytest.mark.parametrize("angle", [1e-3, 1.0, 3.0, np.pi - 1e-3])
def test_in_a_plane_it_is_a_rotation_with_a_norm_that_changes_linearly(angle: float) -> None:
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    a = torch.tensor([[2.0, 0.0]], dtype=torch.float64).expand(11, 2)
    b = 6 * torch.tensor([[np.cos(angle), np.sin(angle)]]).expand(11, 2)
    r = 2 + 4 * t
    expected = r[:, None] * torch.stack([(t * angle).cos(), (t * angle).sin()], dim=1)
    torch.testing.assert_close(slerp(a, b, t), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 4), (1,)])
def test_ends_are_exact_and_identical_points_stay(
    curve: Curve, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    a, b = pairs(50, *shape, dtype=dtype)
    assert torch.equal(curve(a, b, 0.0), a)
    assert torch.equal(curve(a, b, 1.0), b)
    assert torch.equal(curve(a, a, Noise(2).uniform(50)), a)
    middle = curve(a, b, torch.full((50,), 0.5))
    assert middle.dtype == dtype
    assert middle.isfinite().all()
    assert torch.equal(middle, curve(a, b, 0.5))


@pytest.mark.parametrize("noise", [0.0, 1e-8, 1e-6, 1e-4])
@pytest.mark.parametrize("sign", [-1, 1])
def test_nearly_antipodal_and_nearly_identical_points(noise: float, sign: int) -> None:
    a, e = pairs(200, 16)
    a = sphere(a)
    b = sphere(sign * a + noise * e)
    for t in (0.25, 0.5, 0.75):
        z = slerp(a, b, t)
        assert (z.norm(dim=1) / 5 - 1).abs().max() < 1e-6
        # every step turns by its share of the angle
        turned = torch.atan2((z - a).norm(dim=1) / 2, (z + a).norm(dim=1) / 2) * 2
        assert (turned - t * (torch.pi if sign < 0 else 0)).abs().max() < 1e-3
    # and it arrives
    assert (slerp(a, b, 1 - 1e-6) - b).abs().max() < 1e-4


def test_a_zero_takes_the_direction_of_the_other_end() -> None:
    zero, b = torch.zeros(1, 3), torch.tensor([[3.0, 0.0, 4.0]])
    torch.testing.assert_close(slerp(zero, b, 0.5), b / 2)
    torch.testing.assert_close(slerp(b, zero, 0.75), b / 4)
    assert torch.equal(slerp(zero, zero, 0.3), zero)
    # between two numbers there is no sphere
    assert slerp(torch.tensor([[-1.0]]), torch.tensor([[3.0]]), 0.25).item() == 0


def test_each_style_of_a_stack_goes_its_own_way() -> None:
    a, b = pairs(4, 3, 8)
    t = torch.tensor([0.1, 0.4, 0.5, 0.9])
    each = torch.stack([slerp(a[:, k], b[:, k], t) for k in range(3)], dim=1)
    torch.testing.assert_close(slerp(a, b, t), each)
    # of more dimensions it is one vector
    flat = slerp(a.flatten(1), b.flatten(1), t).view(4, 3, 2, 4)
    torch.testing.assert_close(slerp(a.view(4, 3, 2, 4), b.view(4, 3, 2, 4), t), flat)


@pytest.mark.parametrize("curve", CURVES)
def test_a_path_goes_through_every_point(curve: Curve) -> None:
    points, _ = pairs(4, 6)
    z = path(points, 5, curve)
    assert z.shape == (13, 6)
    assert torch.equal(z[::4], points)
    torch.testing.assert_close(z[5], curve(points[1:2], points[2:3], 0.25)[0])
    # the way back is the way there
    torch.testing.assert_close(path(points.flip(0), 5, curve), z.flip(0))


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("shape", [(6,), (2, 6)])
def test_corners_and_edges_of_a_lattice_are_exact(curve: Curve, shape: tuple[int, ...]) -> None:
    corners, _ = pairs(4, *shape)
    z = four_corners(corners, 4, 5, curve).unflatten(0, (4, 5))
    assert torch.equal(z[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    assert torch.equal(z[0], path(corners[:2], 5, curve))
    assert torch.equal(z[-1], path(corners[2:], 5, curve))
    assert torch.equal(z[:, 0], path(corners[[0, 2]], 4, curve))
    assert torch.equal(z[:, -1], path(corners[[1, 3]], 4, curve))
    row = curve(z[1, 0][None], z[1, -1][None], 0.5)[0]
    torch.testing.assert_close(z[1, 2], row)


def test_a_linear_lattice_is_bilinear() -> None:
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    z = four_corners(corners, 3, 3, lerp).unflatten(0, (3, 3))
    half = torch.tensor([0.0, 0.5, 1.0])
    torch.testing.assert_close(z, torch.stack(torch.meshgrid(half, half, indexing="ij"), dim=2))


def test_the_prior_lies_on_a_soap_bubble_that_the_linear_midpoint_leaves() -> None:
    d, n = 256, 4000
    a, b = pairs(n, d)
    expected, error = chi.mean(d), 4 * chi.std(d) / n**0.5
    assert abs(a.norm(dim=1).mean() - expected) < error
    # (a + b) / 2 ~ N(0, I / 2)
    assert abs(lerp(a, b, 0.5).norm(dim=1).mean() - expected / 2**0.5) < error
    assert abs(slerp(a, b, 0.5).norm(dim=1).mean() - expected) < error


def test_the_default_is_slerp_where_the_prior_is_standard_normal() -> None:
    assert default_path(LatentSpace("z", (3,), StandardNormal((3,)))) == "slerp"
    assert default_path(LatentSpace("w", (3,))) == "linear"
