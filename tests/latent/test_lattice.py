"""Lattices of latents against scipy's quantiles and against data whose plane is known."""

import numpy as np
import pytest
import torch
from scipy.stats import norm  # type: ignore[import-untyped]  # SciPy has no types

from simulacra.core.latents import StandardNormal
from simulacra.latent.lattice import lattice, leading_plane

PRIOR = StandardNormal((2,))


def test_over_a_prior_it_is_the_inverse_gaussian_cdf() -> None:
    z = lattice(3, 5, PRIOR).reshape(3, 5, 2)
    # float32
    np.testing.assert_allclose(z[0, :, 0], norm.ppf(np.linspace(0.05, 0.95, 5)), atol=1e-6)
    np.testing.assert_allclose(z[:, 0, 1], norm.ppf(np.linspace(0.95, 0.05, 3)), atol=1e-6)
    assert (z[:, :, 0] == z[0, :, 0]).all()
    assert (z[:, :, 1] == z[:, :1, 1]).all()


def test_one_row_or_column_is_the_median() -> None:
    assert lattice(1, 1, PRIOR).tolist() == [[0.0, 0.0]]
    assert (lattice(1, 4, PRIOR)[:, 1] == 0).all()
    assert (lattice(4, 1, PRIOR)[:, 0] == 0).all()


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 0), (-1, 3)])
def test_needs_rows_and_columns(rows: int, columns: int) -> None:
    with pytest.raises(ValueError, match="at least 1 row"):
        lattice(rows, columns, PRIOR)


def test_two_dimensions_keep_their_own_axes() -> None:
    z = torch.randn(501, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0]) + 3
    grid = lattice(5, 7, z).reshape(5, 7, 2)
    levels = np.linspace(0.05, 0.95, 7)
    np.testing.assert_allclose(grid[0, :, 0], np.quantile(z[:, 0], levels), rtol=1e-5)
    np.testing.assert_allclose(grid[:, 0, 1], np.quantile(z[:, 1], np.linspace(0.95, 0.05, 5)), rtol=1e-4)


def test_one_dimension_rises_as_text_is_read() -> None:
    z = torch.arange(101.0)[:, None]
    grid = lattice(2, 5, z)
    assert grid.shape == (10, 1)
    np.testing.assert_allclose(grid[:, 0], np.linspace(5, 95, 10), rtol=1e-5)


def test_more_dimensions_lie_in_the_plane_of_the_data() -> None:
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(6, 2, generator=generator)).Q.T  # (2, 6)
    mean = torch.arange(6.0)
    coordinates = torch.randn(2000, 2, generator=generator) * torch.tensor([10.0, 2.0])
    z = mean + coordinates @ axes

    plane = leading_plane(z)
    # the same axes up to sign, all of the variance, and the centre of the data
    np.testing.assert_allclose((plane.axes @ axes.T).abs(), np.eye(2), atol=0.02)
    assert float(plane.explained.sum()) == pytest.approx(1, abs=1e-5)
    assert float(plane.explained[0]) == pytest.approx(100 / 104, abs=0.01)
    np.testing.assert_allclose(plane.embed(plane.project(z)), z, atol=1e-4)
    assert (plane.axes.gather(1, plane.axes.abs().argmax(dim=1, keepdim=True)) > 0).all()

    grid = plane.project(lattice(4, 9, z)).reshape(4, 9, 2)
    own = plane.project(z)
    np.testing.assert_allclose(grid[0, :, 0], np.quantile(own[:, 0], np.linspace(0.05, 0.95, 9)), atol=1e-3)
    np.testing.assert_allclose(grid[:, 0, 1], np.quantile(own[:, 1], np.linspace(0.95, 0.05, 4)), atol=1e-3)


def test_latents_of_any_shape_are_flattened_and_shaped_again() -> None:
    z = torch.randn(50, 3, 2, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(lattice(3, 5, z), lattice(3, 5, z.flatten(1)).reshape(15, 3, 2, 4))
    numbers = torch.randn(50, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    assert lattice(2, 3, numbers).shape == (6, 1, 1, 1)


def test_a_single_point_is_a_lattice_of_itself() -> None:
    z = torch.tensor([[1.0, 2.0, 3.0]])
    assert torch.allclose(lattice(2, 2, z), z.expand(4, 3))
    assert leading_plane(z).explained.tolist() == [0, 0]
