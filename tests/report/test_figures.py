"""Charts: what is drawn, read back from the figures, and that they become pictures."""

import subprocess
import sys
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from simulacra.report import figures

RNG = np.random.default_rng(0)


def opened(figure: Figure) -> np.ndarray:
    """The chart as a file, on white: `(H, W, 3)`."""
    image = Image.open(BytesIO(figures.png(figure))).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def test_the_map_gives_the_ten_largest_classes_a_colour() -> None:
    y = np.repeat(np.arange(12), [3, 1, *[5] * 8, 2, 4])
    figure = figures.latent_map(
        RNG.normal(size=(len(y), 2)), ["a", "b"], y, [f"class {k}" for k in range(12)]
    )
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [f"class {k}" for k in [0, *range(2, 10), 11]] + ["2 others"]
    colours = np.asarray(figure.axes[0].collections[0].get_facecolor())
    assert len(np.unique(colours, axis=0)) == 11
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("a", "b")


def test_the_map_takes_any_names_and_none() -> None:
    points = RNG.normal(size=(40, 2))
    names = ["_hidden", "$x_1", "猫" * 30, "ok"]
    opened(figures.latent_map(points, ["$", "_"], np.arange(40) % 4, names))
    plain = figures.latent_map(points, ["a", "b"])
    assert plain.legends == []
    assert len(np.asarray(plain.axes[0].collections[0].get_facecolor())) in (1, 40)


def test_the_map_of_one_dimension() -> None:
    points = RNG.normal(size=(40, 1))
    figure = figures.latent_map(points, ["z"], np.arange(40) % 2, ["no", "yes"])
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["no", "yes"]
    assert len(figure.axes[0].collections) == 2
    assert len(figures.latent_map(points, ["z"]).axes[0].patches) == 40


@pytest.mark.parametrize("dims", [1, 5, 64])
def test_kl_bars_are_sorted_and_marked(dims: int) -> None:
    kl = RNG.uniform(size=dims)
    active = kl > 0.5
    figure = figures.kl_bars(kl, active)
    bars = list(figure.axes[0].patches)
    heights = np.array([bar.get_height() for bar in bars])  # type: ignore[attr-defined]  # bars
    np.testing.assert_array_equal(heights, np.sort(kl)[::-1])
    blue = mpl.colors.to_rgba(figures.BLUE)
    assert [bar.get_facecolor() == blue for bar in bars] == np.sort(active)[::-1].tolist()
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [f"active: {active.sum()}", f"not active: {(~active).sum()}"]
    opened(figure)


def test_pictures_are_sharp_the_same_every_time_and_never_empty() -> None:
    def draw() -> Figure:
        return figures.kl_bars(np.array([1.0, 0.0]), np.array([True, False]))

    assert figures.png(draw()) == figures.png(draw())
    picture = opened(draw())
    assert picture.shape[1] == 2 * round(100 * draw().get_size_inches()[0])
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10


def test_no_global_state() -> None:
    before = dict(mpl.rcParams)
    opened(figures.latent_map(RNG.normal(size=(5, 2)), ["a", "b"]))
    assert dict(mpl.rcParams) == before
    code = "import sys, simulacra.report.page; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shares_are_pairs_of_bars_in_percent() -> None:
    data, samples = np.array([0.25, 0.75]), np.array([0.5, 0.125])
    figure = figures.shares(["cat", "dog"], data, samples, "class")
    heights = [bar.get_height() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]  # bars
    assert heights == [25, 75, 50, 12.5]
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["cat", "dog"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["data", "samples"]
    opened(figure)
    many = np.full(200, 1 / 200)
    assert len(figures.shares(["a long name"] * 200, many, many, "class").axes[0].get_xticks()) < 20
