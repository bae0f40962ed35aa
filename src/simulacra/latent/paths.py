"""Paths between latents: straight lines, arcs of spheres, and lattices between four corners.

The norms of draws z of N(0, I) in d dimensions follow the chi distribution: they are near sqrt(d), and the
more dimensions the nearer. The middle of a straight line between two draws has a norm near sqrt(d / 2), where
the prior has almost no mass. Spherical interpolation (Shoemake 1985; White 2016, arXiv:1609.04468) keeps the
norm.

Latents `(L, Z)` are stacks of styles: each of the L vectors goes its own way. Latents of three dimensions or
more are one vector.

>>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
>>> lerp(a, b, 0.5).norm(), slerp(a, b, 0.5).norm()
(tensor(0.7071), tensor(1.))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from simulacra.core.latents import LatentSpace, StandardNormal

# (a, b, t) -> z: latents `(N, *shape)`, t a number or `(N,)`
Curve: TypeAlias = Callable[[Tensor, Tensor, float | Tensor], Tensor]


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Linear interpolation, z = (1 - t) a + t b.

    Args:
        a: latents at t = 0, `(N, *shape)`.
        b: latents at t = 1, as many; both ends are exact.
        t: from 0 to 1, one for all or `(N,)`.

    Returns:
        `(N, *shape)`, in the dtype of a and on its device.
    """
    return torch.lerp(a, b, _weights(t, a))


def slerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Spherical interpolation along the shorter arc of a great circle; the norm changes linearly.

        z = r u, r = (1 - t) |a| + t |b|, u = cos(t w) a' + sin(t w) v

    with a' = a / |a|, w the angle between a and b, and v the unit vector in their plane normal to a'.
    For |a| = |b| this is sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b (Shoemake 1985), but without its
    division by sin(w), which is 0 for antipodal points.

    Special cases: identical points stay where they are, bit for bit. Antipodal points have no shortest arc;
    theirs passes near the coordinate axis that is closest to a right angle with them. A zero has no direction
    and takes that of the other end, so that the path is a straight line. So it is between numbers `(N, 1)`,
    where there is no sphere.

    Args:
        a: latents at t = 0, `(N, *shape)`.
        b: latents at t = 1, as many; both ends are exact.
        t: from 0 to 1, one for all or `(N,)`.

    Returns:
        `(N, *shape)`, in the dtype of a and on its device; computed in float32 or, of float64, in float64.

    >>> a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[-2.0, 0.0]])
    >>> slerp(a, b, 0.5).round().abs().tolist()
    [[0.0, 2.0]]
    """
    if a[0].ndim > 2:
        return slerp(a.flatten(1), b.flatten(1), t).view_as(a)
    if a.shape[-1] == 1:
        return lerp(a, b, t)
    weight = _weights(t, a)
    dtype = torch.promote_types(a.dtype, torch.float32)
    p, q, s = a.to(dtype), b.to(dtype), weight.to(dtype)
    length_p, length_q = (_norm(z) for z in (p, q))
    # a zero has the direction of the other end
    u = torch.where(length_p > 0, p / _positive(length_p), q / _positive(length_q))
    w = torch.where(length_q > 0, q / _positive(length_q), u)
    # exact for small angles and for those near pi (Kahan 2006), where the arc cosine is not
    angle = 2 * torch.atan2(_norm(w - u), _norm(w + u))
    v = _at_right_angles(w, u)
    direction = torch.cos(s * angle) * u + torch.sin(s * angle) * v
    direction = direction / _positive(_norm(direction))
    z = (torch.lerp(length_p, length_q, s) * direction).to(a.dtype)
    z = torch.where((a == b).all(dim=-1, keepdim=True) | (weight == 0), a, z)
    return torch.where(weight == 1, b, z)


PATHS: dict[str, Curve] = {"slerp": slerp, "linear": lerp}


def default_path(space: LatentSpace) -> str:
    """`slerp` where the prior is N(0, I), whose draws lie near a sphere; else `linear`."""
    return "slerp" if isinstance(space.prior, StandardNormal) else "linear"


def path(points: Tensor, steps: int, curve: Curve = slerp) -> Tensor:
    """Latents on the way through several points, each of which is exact.

    Args:
        points: `(P, *shape)`, at least two.
        steps: latents from one point to the next, both included; at least two.
        curve: `slerp` or `lerp`.

    Returns:
        `((P - 1) (steps - 1) + 1, *shape)`.

    >>> path(torch.tensor([[0.0], [2.0], [0.0]]), 3, lerp).flatten().tolist()
    [0.0, 1.0, 2.0, 1.0, 0.0]
    """
    t = torch.linspace(0, 1, steps, dtype=torch.float64)
    legs = [curve(_repeat(a, steps), _repeat(b, steps), t) for a, b in zip(points, points[1:], strict=False)]
    return torch.cat([points[:1], *(leg[1:] for leg in legs)])


def four_corners(corners: Tensor, rows: int, columns: int, curve: Curve = slerp) -> Tensor:
    """A lattice between four corners, row by row; the corners and, between them, the paths are exact.

    The left and the right edge are paths from top to bottom, and every row is a path from edge to edge. With
    `slerp`, the inside depends on this order.

    Args:
        corners: top left, top right, bottom left and bottom right, `(4, *shape)`.
        rows: at least two.
        columns: at least two.
        curve: `slerp` or `lerp`.

    Returns:
        `(rows * columns, *shape)`.

    >>> four_corners(torch.tensor([[0.0], [2.0], [4.0], [6.0]]), 2, 3, lerp).flatten().tolist()
    [0.0, 1.0, 2.0, 4.0, 5.0, 6.0]
    """
    top_left, top_right, bottom_left, bottom_right = corners
    left = path(torch.stack([top_left, bottom_left]), rows, curve)
    right = path(torch.stack([top_right, bottom_right]), rows, curve)
    t = torch.linspace(0, 1, columns, dtype=torch.float64)
    start, stop = (z.repeat_interleave(columns, dim=0) for z in (left, right))
    return curve(start, stop, t.repeat(rows))


def _repeat(z: Tensor, n: int) -> Tensor:
    return z.expand(n, *z.shape)


def _weights(t: float | Tensor, a: Tensor) -> Tensor:
    """t in the dtype of a and on its device, of a shape that multiplies latents `(N, *shape)`."""
    t = torch.as_tensor(t).to(device=a.device, dtype=a.dtype)
    return t if t.ndim == 0 else t.view(-1, *(1 for _ in a.shape[1:]))


def _norm(z: Tensor) -> Tensor:
    return torch.linalg.vector_norm(z, dim=-1, keepdim=True)


def _positive(length: Tensor) -> Tensor:
    """Lengths to divide by: 1 for those of 0, whose vectors stay 0."""
    return torch.where(length > 0, length, 1)


def _at_right_angles(w: Tensor, u: Tensor) -> Tensor:
    """Unit vectors normal to unit vectors u, in the plane of u and w; of u and an axis where w is u or -u."""
    # of antipodal vectors rounding alone is left, of length eps
    eps = 4 * torch.finfo(u.dtype).eps
    least = u.abs().argmin(dim=-1, keepdim=True)
    axis = torch.zeros_like(u).scatter_(-1, least, 1.0)
    rest = _without(w, u)
    v = torch.where(_norm(rest) > eps, rest, _without(axis, u))
    # twice is enough (Parlett 1998): what is left of u in a short rest counts once that has length 1
    v = _without(v / _positive(_norm(v)), u)
    return v / _positive(_norm(v))


def _without(w: Tensor, u: Tensor) -> Tensor:
    """The vectors w less their parts along unit vectors u."""
    return w - (w * u).sum(dim=-1, keepdim=True) * u
