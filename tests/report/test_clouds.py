"""Scatters and densities of vectors, read back from the figures."""

import warnings
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from simulacra.report import clouds
from simulacra.report.figures import png

RNG = np.random.default_rng(0)


def drawn(figure: Figure) -> Figure:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(png(figure)) > 1000
    return figure


@pytest.mark.parametrize("columns", [1, 2, 7])
def test_scatter_of_vectors(columns: int) -> None:
    data, samples = RNG.normal(size=(50, columns)), RNG.normal(size=(30, columns))
    both = drawn(clouds.scatter(data, samples))
    assert [text.get_text() for text in both.legends[0].get_texts()] == ["data", "samples"]
    assert len(both.axes) == 1
    if columns > 1:
        np.testing.assert_array_equal(np.asarray(both.axes[0].collections[1].get_offsets()), samples[:, :2])
    alone = drawn(clouds.scatter(None, samples))
    assert [text.get_text() for text in alone.legends[0].get_texts()] == ["samples"]


def test_axes_are_named_by_the_columns() -> None:
    (axes,) = clouds.scatter(None, np.eye(2), ("age", "a very long name of a column")).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("age", "a very long name …")
    (axes,) = clouds.scatter(None, np.eye(2)).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("column 1", "column 2")


def test_modes_are_ringed_and_planes_keep_their_shape() -> None:
    modes = np.array([[0.0, 0.0], [1.0, 2.0]])
    x = RNG.normal(size=(50, 2))
    figure = drawn(clouds.scatter(x, x, modes=modes, radius=0.25, equal=True))
    boxes = [path.get_extents() for path in figure.axes[0].collections[2].get_paths()]
    centres = [((b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2) for b in boxes]
    np.testing.assert_allclose(centres, modes, atol=1e-9)
    assert [b.width for b in boxes] == pytest.approx([0.5, 0.5])
    assert figure.axes[0].get_aspect() == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["data", "samples", "modes"]


@pytest.mark.parametrize(("columns", "scale"), [(1, 1e-4), (2, 1e-4), (2, 1e4), (2, 0.0)])
def test_samples_of_another_spread_are_shown_once_more_at_their_own_scale(columns: int, scale: float) -> None:
    data = RNG.normal(size=(100, columns))
    left, right = drawn(clouds.scatter(data, scale * data)).axes
    low, high = right.get_xlim()
    if scale:
        assert high - low == pytest.approx(scale * np.ptp(data[:, 0]), rel=0.3)
    low, high = left.get_xlim()
    assert high - low == pytest.approx(np.ptp(data[:, 0]), rel=0.3)
    assert left.get_title() == ("near the data" if scale > 1 else "samples and data")


def counts(figure: Figure) -> np.ndarray:
    image: Any = figure.axes[0].images[0]
    return np.ma.filled(image.get_array(), 0)


def test_a_density_counts_every_point_and_a_few_outliers_shrink_nothing() -> None:
    x = RNG.uniform(size=(20_000, 2))
    assert counts(drawn(clouds.density(x))).sum() == 20_000
    far = np.concatenate([x, [[1e6, 0.5], [np.nan, 0.5], [0.5, -1e6]]])
    figure = drawn(clouds.density(far, ("a", "b")))
    assert counts(figure).sum() == 20_000
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    assert (left, right, bottom, top) == pytest.approx((0, 1, 0, 1), abs=0.11)
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("a", "b")


def test_a_density_is_the_right_way_round_and_shows_strands() -> None:
    t = RNG.uniform(size=10_000)
    # a strand along y = x / 2
    table = counts(drawn(clouds.density(np.stack([t, t / 2], axis=1))))
    filled = np.argwhere(table)
    assert np.abs(filled[:, 0] - filled[:, 1]).max() <= 1
    assert len(table) > 100


@pytest.mark.parametrize("x", [np.zeros((6000, 2)), np.full((6000, 2), 1e6), np.zeros((6000, 1))])
def test_a_density_of_one_point(x: np.ndarray) -> None:
    drawn(clouds.density(x))


def test_a_density_of_one_column_is_a_histogram() -> None:
    figure = drawn(clouds.density(RNG.normal(size=(9000, 1)), ("a",)))
    assert figure.axes[0].get_ylabel() == "points"
    assert figure.axes[0].get_xlabel() == "a"
