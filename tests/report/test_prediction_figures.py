"""Charts of predictions against known answers, read back from the figures."""

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from simulacra.report import prediction_figures as figures
from simulacra.report.figures import BLUE, GREEN, ORANGE, png


def line(figure: Figure, panel: int, colour: str) -> np.ndarray:
    """The points of the line of that colour, `(N, 2)`."""
    (found,) = [one for one in figure.axes[panel].lines if one.get_color() == colour]
    return np.asarray(found.get_xydata())


def bars(figure: Figure, panel: int) -> list[float]:
    blue = to_rgba(BLUE, 0.85)
    patches: Any = figure.axes[panel].patches
    return [patch.get_height() for patch in patches if patch.get_facecolor() == blue]


def test_calibration_of_a_perfect_model() -> None:
    u = (np.arange(1000) + 0.5) / 1000
    figure = figures.calibration(u, 1000)
    assert bars(figure, 0) == pytest.approx([0.1] * 10)
    coverage = line(figure, 1, BLUE)
    assert len(coverage) == 101
    np.testing.assert_allclose(coverage[:, 1], coverage[:, 0], atol=0.21)
    assert len(png(figure)) > 1000


def test_calibration_of_one_too_sure_and_one_too_careful() -> None:
    sure = figures.calibration(np.repeat([0.0, 1.0], 50), 100)
    assert bars(sure, 0) == pytest.approx([0.5, *[0] * 8, 0.5])
    assert line(sure, 1, BLUE)[1:-1, 1].max() == 0
    careful = figures.calibration(np.full(100, 0.5), 100)
    assert line(careful, 1, BLUE)[1:, 1].min() == 100


@pytest.mark.parametrize(("n", "p"), [(53, 0.1), (2000, 0.1), (20, 0.95), (1, 0.5), (5, 1 - 1e-9)])
def test_the_binomial_range_has_at_least_95_percent_and_not_much_more(n: int, p: float) -> None:
    low, high = figures.binomial_range(n, p)
    shares = np.random.default_rng(0).binomial(n, p, 20_000) / n
    assert ((shares >= low - 1e-9) & (shares <= high + 1e-9)).mean() > 0.945
    if low > 0 and high < 1:
        assert ((shares > low + 1e-9) & (shares < high - 1e-9)).mean() < 0.96


def test_reliability_puts_accuracy_over_confidence() -> None:
    confidence = np.repeat([0.55, 0.95], 100)
    right = np.concatenate([np.arange(100) < 30, np.arange(100) < 95])
    figure = figures.reliability(confidence, right)
    dots = [
        np.asarray(one.get_xydata())[0].tolist() for one in figure.axes[0].lines if one.get_marker() == "o"
    ]
    assert dots == [pytest.approx([55, 30]), pytest.approx([95, 95])]
    assert bars(figure, 1) == [0, 0, 0, 0, 0, 100, 0, 0, 0, 100]
    # a confidence of exactly 1 is in the last bin
    assert bars(figures.reliability(np.ones(3), np.ones(3, dtype=bool)), 1)[-1] == 3


@pytest.mark.parametrize(("T", "panels"), [(1, 1), (3, 3)])
def test_observed_has_a_chart_for_every_column(T: int, panels: int) -> None:
    y = np.random.default_rng(0).normal(size=(30, T))
    figure = figures.observed(y, y + 1, (y - 1, y + 3), [f"c{i}" for i in range(T)])
    assert len(figure.axes) == panels
    for i, axes in enumerate(figure.axes):
        assert axes.get_xlabel() == f"c{i}, observed"
        dots = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_array_equal(dots, np.stack([y[:, i], y[:, i] + 1], axis=1))
        # the diagonal, and an interval for each example
        assert len(axes.lines) == 31
        np.testing.assert_array_equal(np.asarray(axes.lines[1].get_ydata()), [y[0, i] - 1, y[0, i] + 3])
    assert len(png(figure)) > 1000
    assert len(figures.observed(y, y, None, ["a"] * T).axes[0].lines) == 1


def test_a_constant_column_is_drawn() -> None:
    y = np.zeros((4, 1))
    assert len(png(figures.observed(y, y, (y, y), ["a"]))) > 1000


def test_conditional_shows_density_points_mean_and_weighted_components() -> None:
    x, y = np.linspace(0, 1, 20), np.linspace(-1, 1, 30)
    density = np.abs(np.random.default_rng(0).normal(size=(30, 20)))
    means = np.stack([x - 1, 1 - x], axis=1)
    weights = np.stack([x, 1 - x], axis=1)
    figure = figures.conditional(density, x, y, ("a", "b"), np.array([[0.5, 0.0]]), x / 2, (means, weights))
    axes = figure.axes[0]
    image: Any = axes.images[0]
    np.testing.assert_array_equal(image.get_array(), density)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "b")
    np.testing.assert_array_equal(line(figure, 0, ORANGE), np.stack([x, x / 2], axis=1))
    lines: Any = axes.collections[1:]
    first, second = lines
    assert np.all(np.diff(first.get_linewidths()) > 0)
    assert np.all(np.diff(np.asarray(second.get_colors())[:, 3]) < 0)
    assert np.asarray(first.get_colors())[0, :3] == pytest.approx(to_rgba(GREEN)[:3])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "held-out", "components", "mean E[b | a]",
    ]  # fmt: skip
    assert len(png(figure)) > 1000
