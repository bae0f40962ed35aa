"""Metrics that a test invents, by one declaration each, appear wherever numbers are shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.cli.evaluate import Evaluate
from simulacra.cli.main import main
from simulacra.core.capabilities import Encodes, Samples
from simulacra.metrics import registry
from simulacra.metrics.registry import Measurement, Metric, Score, measurements, metric, register, settings
from simulacra.report.curves import curves
from simulacra.report.numbers import numbers_of
from simulacra.run import Run


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_MEASUREMENTS", measurements())


def test_a_score_declared_once_is_everywhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(
        Score(
            name="median",
            metrics=(Metric("median_gap", "median gap", "%", "between samples and data", "lower"),),
            settings=("median_of",),
            score=lambda c: {
                "median_gap": float(abs(np.median(c.samples.features) - np.median(c.real.features))),
                "median_of": "features",
            },
            in_training=True,
        )
    )
    run = Run(tmp_path / "run")
    words = ["--hidden", "16", "--steps", "20", "--evaluate-every", "10", "--log-every", "10"]
    assert main(["train", "gan", "--data", "gaussians-8:2000", *words, "--out", str(run.path)]) == 0
    # progress of the training, and its charts
    (first, last) = run.events("scores")
    assert f"median_gap {last['median_gap']:.4g}" in capsys.readouterr().err
    chart = curves(run.events())["median_gap"]
    assert chart.get_suptitle() == "median gap (%)"  # type: ignore[attr-defined]  # matplotlib's stubs lack it
    drawn = np.asarray(chart.axes[0].lines[0].get_ydata())
    assert drawn == pytest.approx([100 * first["median_gap"], 100 * last["median_gap"]])
    # evaluation, as text and as JSON
    assert main(["evaluate", str(run.path), "--metrics", "median", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["median_of"] == "features"
    assert (
        sim.evaluate(sim.load(run.path), run.data(), metrics=["median"])["median_gap"] == found["median_gap"]
    )
    # the report's table of numbers
    (row,) = numbers_of(run)[0].rows
    assert (row.name, row.value, row.unit) == ("median gap", f"{100 * found['median_gap']:.1f}", "%")
    assert row.meaning == "between samples and data; lower is better"
    # help of --metrics
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    assert "median" in " ".join(capsys.readouterr().out.split())


def test_a_measurement_of_a_capability_is_for_the_models_that_have_it() -> None:
    data = sim.load_data("gaussians-8:500")

    class Fixed(Samples):
        def sample(self, n, seed=0, *, truncation=1.0, draw=False):  # type: ignore[no-untyped-def]
            return self.get_buffer("point").expand(n, 2)

    model = Fixed(data.spec, None)
    model.register_buffer("point", torch.ones(1, 2))
    register(
        Measurement(
            name="largest",
            needs=(Samples,),
            metrics=(Metric("largest", "largest number"),),
            compute=lambda evaluation: {"largest": float(evaluation.samples.max())},
        )
    )
    register(Measurement(name="encoded", needs=(Encodes,), metrics=(Metric("encoded", "encoded"),)))
    numbers = sim.evaluate(model, data, metrics=["largest", "encoded"])
    assert numbers.keys() == {"data", "examples", "seed", "largest"}
    assert numbers["largest"] == 1
    # it is among those that are measured when none are named
    assert sim.evaluate(model, data)["largest"] == 1


def test_keys_are_declared_once() -> None:
    metrics = {one.key: one for m in measurements() for one in m.metrics}
    everywhere = [one for m in measurements() for one in m.metrics]
    # -log p(x) and -log p(y | x)
    assert {one.key for one in everywhere if metrics[one.key] != one} == {"nll"}
    assert not settings() & set(metrics)
    errors = {one.error for one in everywhere if one.error}
    assert errors <= set(metrics)


def test_the_metric_of_a_key_depends_on_the_numbers_beside_it() -> None:
    assert metric("nll", ("nll", "elbo", "kl")).meaning == "-log p(x) of an example"
    assert "p(y | x)" in metric("nll", ("nll", "rmse")).meaning
    assert "p(y | x)" in metric("nll", ("nll", "accuracy", "calibration_error")).meaning
    text = metric("nll").described({"importance_samples": 1000})
    assert text == "-log p(x) of an example, estimated with 1,000 samples of z unless exact; lower is better"
    unknown = metric("new_score")
    assert (unknown.label, unknown.unit, unknown.described({})) == ("new score", "", "")


def test_no_metrics_are_named_by_default() -> None:
    assert Evaluate(Path("run")).metrics is None
    assert registry.groups(quick=True)[:2] == ["elbo", "nll"]
