"""The cards of models that predict, against their distributions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal

import simulacra as sim
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Predicts
from simulacra.data.spec import DataSpec
from simulacra.probability.distributions import IndependentBernoulli, Levels, LogisticLevels
from simulacra.report import prediction_figures, predictions
from simulacra.report.material import gather
from simulacra.report.predictions import effective_count, predicted_kind
from simulacra.run import Run

CARDS = (
    "conditional_density", "calibration", "observed", "predicted_images", "classified_images", "reliability",
    "confusion", "by_class",
)  # fmt: skip


def made(run: Run) -> dict[str, Any]:
    """The cards that there are, by the name of their function."""
    material = gather(run)
    cards = {name: getattr(predictions, name)(material) for name in CARDS}
    return {name: card for name, card in cards.items() if card is not None}


def called(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    """What the figure of that name is drawn from."""
    arguments: list[Any] = []
    draw = getattr(prediction_figures, name)

    def spy(*given: Any) -> Any:
        arguments.extend(given)
        return draw(*given)

    monkeypatch.setattr(prediction_figures, name, spy)
    return arguments


def test_the_conditional_density_is_one(mdn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = called(monkeypatch, "conditional")
    card = predictions.conditional_density(gather(mdn))
    density, x, y, names, points, mean, (means, weights) = drawn
    inside = np.trapezoid(density, y, axis=0)
    assert inside.max() < 1.02
    assert np.median(inside) > 0.9
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    # E[y | x] = sum_k pi_k mu_k
    np.testing.assert_allclose(mean, (weights * means).sum(axis=1), rtol=1e-4, atol=1e-5)
    assert names == ("x", "t")
    assert points.shape[1] == 2
    assert len(density) == len(y)
    assert density.shape[1] == len(x)
    assert card is not None
    assert "3 components" in card.caption


@pytest.mark.parametrize(
    ("likelihood", "shown"),
    [
        ("laplace-learned", True),
        ("multivariate-normal", True),
        ("continuous-bernoulli", True),
        ("bernoulli", False),
    ],
)
def test_densities_of_other_heads(
    folder: Path, likelihood: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = called(monkeypatch, "conditional")
    run = Run(folder / f"curve-{likelihood}")
    sim.train("regressor", "bishop-inverse:400", run.path, likelihood=likelihood, steps=20)
    assert ("conditional_density" in made(run)) == shown
    if shown:
        density, _, y, *_ = drawn
        assert len(drawn) == 7
        assert drawn[-1] is None
        assert np.median(np.trapezoid(density, y, axis=0)) == pytest.approx(1, abs=0.25)
        # nothing outside of what can be
        assert likelihood != "continuous-bernoulli" or density[(y < 0) | (y > 1)].max() == 0


class Known(Predicts):
    """p(y | x) = N(x, sigma^2)."""

    def __init__(self, spec: DataSpec, sigma: float) -> None:
        super().__init__(spec, None)
        self.register_buffer("sigma", torch.tensor(sigma))

    def predict(self, x: torch.Tensor) -> Independent:
        return Independent(Normal(x, self.sigma), 1)

    def targets(self, batch: Batch) -> torch.Tensor:
        assert batch.target is not None
        return batch.target


def test_calibration_of_the_true_distribution(mdn: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that knows y = x + N(0, 1) is calibrated; one with half the spread covers too little."""
    material = gather(mdn)
    assert material.held is not None
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 1)).astype(np.float32)
    held = type(material.held)(material.held.spec, x, target=x + rng.normal(size=x.shape).astype(np.float32))
    for sigma, covered in ((1.0, 0.8), (0.5, 0.478)):
        known = Known(material.config.spec, sigma)
        changed = replace(material, model=known, held=held)
        drawn = called(monkeypatch, "calibration")
        assert predictions.calibration(changed) is not None
        u, n = drawn
        assert n == 2000
        assert float((np.abs(u - 0.5) <= 0.4).mean()) == pytest.approx(covered, abs=0.03)


def test_dependent_numbers_count_less() -> None:
    u = torch.rand(500, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert effective_count(u[:, :1]) == 500
    assert effective_count(u) == pytest.approx(2000, rel=0.1)
    assert effective_count(u[:, :1].expand(-1, 4)) == 500
    halves = torch.cat([u[:, :2], u[:, :2]], dim=1)
    assert effective_count(halves) == pytest.approx(1000, rel=0.1)
    assert effective_count(torch.full((10, 3), 0.5)) == 10


def test_observed_is_mean_and_interval_of_the_prediction(arm: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = called(monkeypatch, "observed")
    material = gather(arm)
    card = predictions.observed(material)
    y, mean, (low, high), names = drawn
    assert material.held is not None
    assert material.held.target is not None
    np.testing.assert_array_equal(y, material.held.target[: len(y)])
    assert y.shape == mean.shape == low.shape
    assert (low < high).all()
    model: Any = material.model
    p = model.predict(torch.from_numpy(material.held.x[: len(y)].copy()))
    np.testing.assert_allclose(mean, p.mean.numpy(), rtol=1e-4, atol=1e-5)
    # 80% of what is drawn lies inside
    draws = sim.Noise(0).draw(p, 400).numpy()
    assert ((draws > low) & (draws < high)).mean() == pytest.approx(0.8, abs=0.01)
    assert names == ["theta_1", "theta_2"]
    assert card is not None
    assert "central 80% intervals" in card.caption


def test_images_in_strips_of_their_own_shape(painter: Run) -> None:
    card = made(painter)["predicted_images"]
    for name in ("input", "target", "mean", "deviation"):
        assert f'alt="{name} of 6 examples"' in card.body
    assert "white is" in card.caption
    # 4 x 6 pixels and 8 x 8 pixels, enlarged to about the same width
    sizes = [int(part.split('"')[0]) for part in card.body.split('width="')[1:]]
    assert max(sizes) - min(sizes) < 60


@pytest.mark.parametrize(
    "likelihood", ["bernoulli", "continuous-bernoulli", "categorical", "discretised-logistic"]
)
def test_every_likelihood_of_images_has_a_deviation(painter: Run, folder: Path, likelihood: str) -> None:
    run = Run(folder / f"painter-{likelihood}")
    sim.train("regressor", painter.config.source, run.path, likelihood=likelihood, steps=1)
    cards = made(run)
    assert "predicted_images" in cards
    assert ("calibration" in cards) == (likelihood == "continuous-bernoulli")


def test_deviations_by_hand() -> None:
    logits = torch.randn(2, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    p = IndependentBernoulli(logits).mean
    torch.testing.assert_close(predictions._deviation(IndependentBernoulli(logits)), (p * (1 - p)).sqrt())
    # half of the mass on black, half on white
    log_probs = torch.full((1, 1, 2, 2, 256), -torch.inf)
    log_probs[..., [0, 255]] = np.log(0.5)
    halves = Independent(Levels(log_probs), 3)
    torch.testing.assert_close(predictions._deviation(halves), torch.full((1, 1, 2, 2), 0.5))
    # a logistic has the variance (pi s)^2 / 3
    logistic = LogisticLevels(torch.full((1, 1, 2, 2), 0.5), torch.tensor(0.03))
    deviation = predictions._deviation(Independent(logistic, 3))
    torch.testing.assert_close(
        deviation, torch.full((1, 1, 2, 2), float(np.pi * 0.03 / 3**0.5)), rtol=1e-3, atol=0
    )


def test_mistakes_are_framed_and_the_most_confident_come_first(classifier: Run) -> None:
    material = gather(classifier)
    card = predictions.classified_images(material)
    assert card is not None
    assert material.data is not None
    assert isinstance(material.model, Predicts)
    test = material.data.test
    p: Any = material.model.predict(torch.from_numpy(test.x).float() / 255)
    wrong = p.probs.argmax(dim=1).numpy() != test.y
    assert f"{wrong.sum()} of 157 are wrong" in card.caption
    assert card.body.count('class="wrong"') == card.body.count("true: ")
    last = card.body.split("most confident mistakes")[1]
    percents = [int(part.split("%")[0]) for part in last.split("</b> ")[1:]]
    assert percents == sorted(percents, reverse=True)
    assert len(percents) == min(6, wrong.sum())
    assert percents[0] == round(100 * float(p.probs.max(dim=1).values[torch.from_numpy(wrong)].max()))


@pytest.mark.parametrize("likelihood", ["auto", "bernoulli"])
def test_two_classes_by_either_likelihood(
    folder: Path, likelihood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(folder / f"cancer-{likelihood}")
    sim.train("regressor", "breast-cancer", run.path, likelihood=likelihood, steps=30)
    drawn = called(monkeypatch, "reliability")
    assert set(made(run)) == {"reliability", "confusion", "by_class"}
    confidence, right = drawn
    assert confidence.min() >= 0.5
    numbers = sim.evaluate(sim.load(run.path), run.data())
    assert right.mean() == pytest.approx(numbers["accuracy"])


def test_other_heads_of_numbers(folder: Path) -> None:
    source = folder / "numbers.npz"
    rng = np.random.default_rng(0)
    np.savez(source, x=rng.normal(size=(200, 2)), targets=rng.uniform(size=(200, 6)))
    for likelihood, cards in (
        ("laplace-learned", {"observed", "calibration"}),
        ("multivariate-normal", {"observed", "calibration"}),
        ("continuous-bernoulli", {"observed", "calibration"}),
        ("bernoulli", {"observed"}),
    ):
        run = Run(folder / f"numbers-{likelihood}")
        sim.train("regressor", f"npz:{source}", run.path, likelihood=likelihood, steps=1)
        shown = made(run)
        assert set(shown) == cards
        assert "The first 4 of 6 columns." in shown["observed"].caption


def test_without_labels_there_are_no_cards(classifier: Run, tmp_path: Path) -> None:
    material = gather(classifier)
    data = material.data
    assert data is not None
    empty = replace(material, data=replace(data, test=replace(data.test, y=None)))
    assert predicted_kind(empty) is None
    for name in CARDS:
        assert getattr(predictions, name)(empty) is None, name
