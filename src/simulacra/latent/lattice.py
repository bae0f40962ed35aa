"""Latents on a regular grid, which show when decoded how a model fills its latent space.

For two latent dimensions with a prior the grid is regular in probability: evenly spaced quantiles of
p(z) (Kingma and Welling 2014, fig. 4). With more dimensions it lies in the plane of the two leading principal
components of encoded data.

    >>> from simulacra.core.latents import StandardNormal
    >>> lattice(3, 5, StandardNormal((2,))).shape
    torch.Size([15, 2])
    >>> lattice(3, 5, torch.randn(100, 16)).shape
    torch.Size([15, 16])
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from simulacra.core.latents import Prior

LOWEST, HIGHEST = 0.05, 0.95


@dataclass(frozen=True)
class Plane:
    """A flat piece of latent space, z = origin + coordinates @ axes.

    Attributes:
        origin: a point of it, `(Z,)`.
        axes: orthonormal rows `(P, Z)`; P is 2, or 1 where the latent space has one dimension.
        explained: share of the latents' variance along each axis, `(P,)`.
    """

    origin: Tensor
    axes: Tensor
    explained: Tensor

    def project(self, z: Tensor) -> Tensor:
        """The coordinates `(N, P)` of the points nearest to latents `(N, Z)`."""
        return (z - self.origin) @ self.axes.T

    def embed(self, coordinates: Tensor) -> Tensor:
        """The latents `(N, Z)` at coordinates `(N, P)`."""
        return self.origin + coordinates @ self.axes


def leading_plane(z: Tensor) -> Plane:
    """The plane that keeps most of the variance of latents `(N, Z)`.

    A space of one or two dimensions is its own plane, with its own axes and origin; otherwise the
    axes are the two leading principal components through the mean, each with its largest entry
    positive.
    """
    dim = z.shape[1]
    variance = z.double().var(dim=0, correction=0)
    total = variance.sum().clamp(min=1e-30)
    if dim <= 2:
        return Plane(z.new_zeros(dim), torch.eye(dim).to(z), (variance / total).to(z))
    origin = z.double().mean(dim=0)
    centred = z.double() - origin
    eigenvalues, vectors = torch.linalg.eigh(centred.T @ centred / len(z))  # ascending
    axes = vectors[:, -2:].flip(1).T
    largest = axes.abs().argmax(dim=1, keepdim=True)
    axes = axes * axes.gather(1, largest).sign()
    explained = eigenvalues[-2:].flip(0).clamp(min=0) / total
    return Plane(origin.to(z), axes.to(z), explained.to(z))


def lattice(rows: int, columns: int, over: Prior | Tensor) -> Tensor:
    """Latents on a regular grid from quantile 0.05 to 0.95, row by row.

    The first coordinate increases along a row, the second decreases from row to row, as in a scatter plot
    of the latents. In one dimension the latents increase from left to right, row by row.

    Args:
        rows: rows, at least 1; a single one is the median.
        columns: columns, at least 1; a single one is the median.
        over: the prior of two latent dimensions; or encoded data `(N, *shape)`, where the grid lies in their
            `leading_plane`, at the quantiles of their coordinates.

    Returns:
        `(rows * columns, 2)`, or `(rows * columns, *shape)`.

    Raises:
        ValueError: fewer than one row or column.
    """
    if min(rows, columns) < 1:
        raise ValueError(f"a lattice needs at least 1 row and 1 column, not {rows} and {columns}")
    if isinstance(over, Prior):
        return _grid(over.quantile(_even(columns))[:, 0], over.quantile(_even(rows))[:, 1])
    plane = leading_plane(over.flatten(1))
    coordinates = plane.project(over.flatten(1))
    if coordinates.shape[1] == 1:
        points = coordinates[:, 0].quantile(_even(rows * columns).to(over))[:, None]
    else:
        first, second = coordinates.T
        points = _grid(first.quantile(_even(columns).to(over)), second.quantile(_even(rows).to(over)))
    return plane.embed(points).reshape(-1, *over.shape[1:])


def _even(n: int) -> Tensor:
    """Evenly spaced quantiles `(n,)`."""
    return torch.linspace(LOWEST, HIGHEST, n) if n > 1 else torch.tensor([0.5])


def _grid(across: Tensor, up: Tensor) -> Tensor:
    """All pairs `(rows * columns, 2)`; the last of `up` comes first."""
    return torch.stack([across.repeat(len(up)), up.flip(0).repeat_interleave(len(across))], dim=1)
