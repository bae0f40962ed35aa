"""The charts of how a training went, read back from the figures."""

from typing import Any

import numpy as np
import pytest

from simulacra.report.curves import curves, last_scores

from .test_figures import opened


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
    charts = curves(events)
    assert list(charts) == ["generator_loss", "discriminator_loss", "fid"]
    (line,) = charts["generator_loss"].axes[0].lines
    assert np.asarray(line.get_xydata()).tolist() == [[5, 3], [10, 2]]
    title: Any = charts["generator_loss"].get_suptitle()
    assert title == "generator loss"


def test_curves_of_training_and_validation_share_a_chart() -> None:
    (chart,) = curves([train(5, kl=3.0), validation(5, kl=4.0)]).values()
    assert [line.get_label() for line in chart.axes[0].lines] == ["train", "validation"]
    assert chart.get_suptitle() == "KL (nats)"


@pytest.mark.parametrize(
    ("values", "scale"),
    [((100.0, 1.0), "log"), ((1e6, 1.0), "log"), ((5.0, 1.0), "linear"), ((100.0, -1.0), "linear")],
)
def test_curves_are_logarithmic_where_it_helps(values: tuple[float, float], scale: str) -> None:
    (chart,) = curves([train(step, loss=value) for step, value in enumerate(values)]).values()
    assert chart.axes[0].get_yscale() == scale
    opened(chart)


def test_curves_leave_out_what_is_no_finite_number() -> None:
    events = [train(1, loss=float("nan"), note="x"), train(2, loss=1.0), train(3, other=float("inf"))]
    (chart,) = curves(events).values()
    assert np.asarray(chart.axes[0].lines[0].get_xydata()).tolist() == [[2, 1]]
    assert curves([]) == {}


def test_the_step_whose_weights_are_kept_is_marked() -> None:
    events = [train(5, loss=3.0), validation(5, loss=4.0), train(10, loss=2.0), validation(10, loss=5.0)]
    (chart,) = curves(events, kept=5).values()
    assert np.asarray(chart.axes[0].lines[0].get_xdata()).tolist() == [5, 5]
    assert [line.get_label() for line in chart.axes[0].lines[1:]] == ["train", "validation"]


def scores(step: int, **values: Any) -> dict[str, Any]:
    made = {"extractor": "raw", "weights": "", "resize": "none", "samples": 90, "real": 90, "seed": 0}
    numbers = {"fid": 2.0, "kid": 0.5, "kid_error": 0.25, "precision": 0.5, "recall": 0.6, "density": 1.2}
    return {"event": "scores", "step": step, **made, **numbers, "coverage": 0.7, **values}


def names(chart: Any) -> list[str]:
    (legend,) = [*chart.legends, *(a.legend_ for a in chart.axes if a.legend_)]
    return [text.get_text() for text in legend.get_texts()]


def test_scores_have_a_band_and_share_a_chart() -> None:
    charts = curves([scores(10), scores(20, kid=-0.5)])
    assert list(charts) == ["fid", "kid", "prdc"]
    (band,) = charts["kid"].axes[0].collections
    corners = np.asarray(band.get_paths()[0].vertices)
    assert {tuple(corner) for corner in corners.tolist()} >= {
        (10, 0.25),
        (10, 0.75),
        (20, -0.75),
        (20, -0.25),
    }
    assert charts["fid"].axes[0].collections == [] or len(charts["fid"].axes[0].collections) == 0
    assert names(charts["prdc"]) == ["precision", "recall", "density", "coverage"]
    # of one: precision has no per cent beside a density
    drawn = {line.get_label(): np.asarray(line.get_ydata()).tolist() for line in charts["prdc"].axes[0].lines}
    assert drawn["precision"] == [0.5, 0.5]
    assert charts["prdc"].axes[0].get_ylim()[1] > 1.2
    for chart in charts.values():
        opened(chart)


def test_scores_made_otherwise_are_not_drawn_together() -> None:
    events = [scores(10, extractor="inception"), scores(20), scores(30)]
    assert [event["step"] for event in last_scores(events)] == [20, 30]
    (line,) = curves(events)["fid"].axes[0].lines
    assert np.asarray(line.get_xdata()).tolist() == [20, 30]
    assert last_scores([]) == []


def test_what_players_do_is_drawn_together() -> None:
    terms = {"a_loss": 1.0, "real": 2.0, "fake": -1.0, "a_gradient": 3.0, "b_gradient": 0.1}
    accuracies = {"real_accuracy": 0.9, "fake_accuracy": 0.8, "held_out_accuracy": 0.4}
    events = [train(step, **terms) for step in (5, 10)] + [validation(10, diversity=0.5, **accuracies)]
    charts = curves(events)
    assert list(charts) == ["a_loss", "outputs", "gradients", "diversity", "accuracies"]
    assert names(charts["outputs"]) == ["training", "samples"]
    assert curves([train(5, real=100.0, fake=1.0)])["outputs"].axes[0].get_yscale() == "linear"
    assert names(charts["gradients"]) == ["a", "b"]
    assert charts["gradients"].axes[0].get_yscale() == "log"
    assert names(charts["accuracies"]) == ["training", "samples", "held-out"]
    shares = [np.asarray(line.get_ydata()).tolist() for line in charts["accuracies"].axes[0].lines]
    assert shares == [[90], [80], [40]]
    assert charts["accuracies"].get_suptitle() == "accuracy of the discriminator (%)"
    low, high = charts["diversity"].axes[0].get_ylim()
    assert (low, high) == (0, 1.1)
    for chart in charts.values():
        opened(chart)
