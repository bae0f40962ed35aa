"""Charts: what is drawn, read back from the figures, and that they become pictures."""

import subprocess
import sys
from io import BytesIO
from typing import Any

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


def train(step: int, **terms: Any) -> dict[str, Any]:
    return {"event": "train", "step": step, **terms, "lr": 1e-3, "images_per_second": 5.0}


def validation(step: int, **terms: Any) -> dict[str, Any]:
    return {"event": "validation", "step": step, **terms}


def test_curves_show_every_term_of_every_player() -> None:
    events = [
        train(5, generator_loss=3.0, discriminator_loss=-1.0),
        validation(5, fid=80.0),
        train(10, generator_loss=2.0, discriminator_loss=-2.0),
        validation(10, fid=70.0),
        {"event": "evaluation", "step": 10, "elbo": 3.0},
    ]
    charts = figures.curves(events)
    assert list(charts) == ["generator_loss", "discriminator_loss", "fid"]
    (line,) = charts["generator_loss"].axes[0].lines
    assert np.asarray(line.get_xydata()).tolist() == [[5, 3], [10, 2]]
    title: Any = charts["generator_loss"].get_suptitle()
    assert title == "generator loss"


def test_curves_of_training_and_validation_share_a_chart() -> None:
    (chart,) = figures.curves([train(5, kl=3.0), validation(5, kl=4.0)]).values()
    assert [line.get_label() for line in chart.axes[0].lines] == ["train", "validation"]
    assert chart.get_suptitle() == "KL (nats)"


@pytest.mark.parametrize(
    ("values", "scale"),
    [((100.0, 1.0), "log"), ((1e6, 1.0), "log"), ((5.0, 1.0), "linear"), ((100.0, -1.0), "linear")],
)
def test_curves_are_logarithmic_where_it_helps(values: tuple[float, float], scale: str) -> None:
    (chart,) = figures.curves([train(step, loss=value) for step, value in enumerate(values)]).values()
    assert chart.axes[0].get_yscale() == scale
    opened(chart)


def test_curves_leave_out_what_is_no_finite_number() -> None:
    events = [train(1, loss=float("nan"), note="x"), train(2, loss=1.0), train(3, other=float("inf"))]
    (chart,) = figures.curves(events).values()
    assert np.asarray(chart.axes[0].lines[0].get_xydata()).tolist() == [[2, 1]]
    assert figures.curves([]) == {}


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


def test_the_step_whose_weights_are_kept_is_marked() -> None:
    events = [train(5, loss=3.0), validation(5, loss=4.0), train(10, loss=2.0), validation(10, loss=5.0)]
    (chart,) = figures.curves(events, kept=5).values()
    assert np.asarray(chart.axes[0].lines[0].get_xdata()).tolist() == [5, 5]
    assert [line.get_label() for line in chart.axes[0].lines[1:]] == ["train", "validation"]


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
