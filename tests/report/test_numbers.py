"""Numbers in words: names, units, what they say, and the table by column."""

from pathlib import Path

import pytest

from simulacra.config import Training
from simulacra.data import DataSpec, Options
from simulacra.models.mdn.card import MDNConfig
from simulacra.report.numbers import examples, kept, numbers_of
from simulacra.run import Run, RunConfig


def in_words(run: Run) -> dict[str, tuple[str, str, str]]:
    return {row.name: (row.value, row.unit, row.meaning) for row in numbers_of(run)[0].rows}


def run_with(folder: Path, *events: dict[str, object], keep: str = "best") -> Run:
    """A run that consists of a config and some events."""
    run = Run(folder)
    spec = DataSpec("vector", (2,), target=DataSpec("vector", (2,), columns=("a", "b")))
    training = Training(keep=keep)  # type: ignore[arg-type]  # one of two names
    config = RunConfig("mdn", MDNConfig(), "robot-arm", Options(), spec, training)
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(config.to_yaml())
    for event in events:
        run.log(**event)  # type: ignore[arg-type]  # kind and values
    return run


def test_predictions_in_words(arm: Run) -> None:
    numbers = in_words(arm)
    assert numbers["negative log-likelihood"][1:] == (
        "nats", "-log p(y | x) of the target or class of an example; lower is better",
    )  # fmt: skip
    assert {"root mean squared error", "CRPS", "round-trip error of the mean"} <= set(numbers)
    for percent in (50, 80, 95):
        value, unit, meaning = numbers[f"coverage of {percent}% intervals"]
        assert 0 <= float(value) <= 100
        assert (unit, meaning) == ("%", f"observed values inside the central interval; {percent} is right")
    # nothing is left as it is stored
    assert not {name for name in numbers if name in ("pit histogram", "columns", "samples", "modes")}


def test_a_table_for_every_column_that_is_predicted(arm: Run) -> None:
    columns = numbers_of(arm)[0].columns
    assert list(columns) == ["theta_1", "theta_2"]
    names = [[row.name for row in rows] for rows in columns.values()]
    assert names[0] == names[1]
    assert {"CRPS", "root mean squared error", "coverage of 80% intervals"} == {
        name for name in names[0] if "50" not in name and "95" not in name
    }


def test_shares_are_percent_and_counts_say_out_of_how_many(tmp_path: Path) -> None:
    event = {
        "kind": "evaluation", "step": 5, "data": "gaussians-8@test", "examples": 50, "samples": 40,
        "modes": 8, "modes_covered": 3, "within_4_sigma": 0.25, "variance_ratio": 0.5, "accuracy": 0.9,
        "mode_shares": [0.25, 0, 0, 0, 0, 0, 0, 0],
        "calibration_error": 0.031, "round_trip_error": 0.0831, "round_trip_within_2_percent": 0.5,
        "nll_exact": -1.2, "mean_distance": 0.01,
    }  # fmt: skip
    run = run_with(tmp_path, event, keep="last")
    numbers = in_words(run)
    assert numbers["modes covered"][:2] == ("3", "of 8")
    assert "mode shares" not in numbers
    assert numbers["samples at a mode"][:2] == ("25.0", "%")
    assert numbers["round-trip error"][:2] == ("8.3", "%")
    assert numbers["calibration error"][:2] == ("3.1", "%")
    assert numbers["variance ratio"][:2] == ("0.5000", "")
    assert numbers["exact negative log-likelihood"][:2] == ("-1.200", "nats")
    assert numbers_of(run)[0].title == "Evaluated on gaussians-8@test, 50 examples and 40 samples, at step 5."


def test_the_weights_that_are_kept_are_named(tmp_path: Path) -> None:
    events = [
        {"kind": "validation", "step": step, "loss": loss} for step, loss in ((5, 3.0), (10, 2.0), (15, 4.0))
    ]
    run = run_with(
        tmp_path / "best", *events, {"kind": "evaluation", "data": "robot-arm@test", "step": 15, "rmse": 1.0}
    )
    assert kept(run) == 10
    assert kept(run, until=5) == 5
    assert "at step 15, with the weights of step 10, where" in numbers_of(run)[0].title
    # not evaluated yet: the look at those weights
    assert "at step 10." in numbers_of(run_with(tmp_path / "new", *events))[0].title
    last = run_with(tmp_path / "last", *events, keep="last")
    assert "at step 15." in numbers_of(last)[0].title
    assert kept(last) is None
    assert kept(run_with(tmp_path / "none")) is None


def test_the_caution_of_an_edit_stands_beside_its_numbers(tmp_path: Path) -> None:
    caution = "reconstructions show 'smile' poorly"
    about: dict[str, object] = {"kind": "evaluation", "step": 5, "data": "faces@test", "direction": "smile"}
    run = run_with(tmp_path, about | {"edit_movement": 0.1, "cautions": {"edits": caution}})
    (one,) = numbers_of(run)
    assert [row.name for row in one.rows] == ["attribute moves"]
    assert one.cautions == [f"edits: {caution}."]


def test_no_evaluation_erases_another(tmp_path: Path) -> None:
    own: dict[str, object] = {"kind": "evaluation", "step": 5, "data": "robot-arm@test", "examples": 50}
    scores = {"extractor": "raw", "weights": "", "resize": "none", "features": 2, "samples": 50, "real": 50}
    run = run_with(
        tmp_path,
        {"kind": "train", "step": 5},
        own | {"nll": 1.0, "elbo": -3.0, "importance_samples": 100},
        own | {"data": "other@test", "nll": 7.0, "importance_samples": 100},
        own | {"fid": 0.25, "real_against_real": {"fid": 0.125}} | scores,
        own | {"fid": 9.0} | scores | {"extractor": "inception"},
        own | {"nll": 2.0, "importance_samples": 100},
        own | {"nll": 3.0, "importance_samples": 1000},
        own | {"data": "robot-arm@train", "nll": 0.5, "importance_samples": 100},
        keep="last",
    )
    found = [(numbers.heading, {row.name: row.value for row in numbers.rows}) for numbers in numbers_of(run)]
    nll = "negative log-likelihood"
    assert found == [
        # more samples of z are another measurement
        ("robot-arm@test", {"ELBO": "-3.000", nll: "3.000"}),
        # the newest of the same
        ("robot-arm@test", {nll: "2.000"}),
        ("robot-arm@test, inception features", {"Fréchet distance": "9.000"}),
        ("robot-arm@test, raw features", {"Fréchet distance": "0.2500"}),
        ("robot-arm@train", {nll: "0.5000"}),
        ("other@test", {nll: "7.000"}),
    ]
    (row,) = numbers_of(run)[3].rows
    assert row.real == "0.1250"
    # of weights that have been trained on since
    run.log("train", step=10)
    run.log(**own | {"step": 10, "nll": 0.0})  # type: ignore[arg-type]  # kind and values
    assert [numbers.heading for numbers in numbers_of(run)][:2] == [
        "robot-arm@test",
        "robot-arm@test, step 5",
    ]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            DataSpec("vector", (1,), target=DataSpec("vector", (1,))),
            "vectors of 1 number, 1 number to predict",
        ),
        (
            DataSpec("image", (1, 8, 8), target=DataSpec("image", (3, 16, 8))),
            "8x8 grey images, 16x8 colour images to predict",
        ),
        (
            DataSpec("vector", (4,), ("3", "4"), target=DataSpec("vector", (1,))),
            "vectors of 4 numbers, 1 number to predict, 2 classes",
        ),
        (DataSpec("vector", (4,), ("a", "b", "c")), "vectors of 4 numbers, 3 classes"),
    ],
)
def test_what_is_predicted_is_said(spec: DataSpec, said: str) -> None:
    assert examples(RunConfig("mdn", MDNConfig(), "x", Options(), spec, Training())) == said
