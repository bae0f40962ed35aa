"""The regressor in the units of the data, over every kind of input and answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Categorical, Independent

from simulacra.core.batch import Batch
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError, DataError
from simulacra.models.regressor.card import RegressorConfig
from simulacra.models.regressor.model import Regressor

NUMBERS = DataSpec("vector", (3,), target=DataSpec("vector", (2,)))


def table(scale: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    return (scale * x + shift).astype(np.float32), (scale * (x[:, :2] ** 2) + shift).astype(np.float32)


def made(spec: DataSpec, x: np.ndarray, **arrays: Any) -> Regressor:
    torch.manual_seed(0)
    likelihood = arrays.pop("likelihood", "auto")
    model = Regressor(spec, RegressorConfig(likelihood=likelihood))
    model.prepare(Dataset(spec, x, **arrays))
    return model


@pytest.mark.parametrize(
    "likelihood", ["normal", "normal-shared", "normal-learned", "laplace-learned", "multivariate-normal"]
)
def test_units_of_the_data_change_nothing_but_the_units(likelihood: str) -> None:
    (x, y), (far_x, far_y) = table(), table(1000.0, 500.0)
    near = made(NUMBERS, x, target=y, likelihood=likelihood).predict(torch.from_numpy(x))
    far = made(NUMBERS, far_x, target=far_y, likelihood=likelihood).predict(torch.from_numpy(far_x))
    torch.testing.assert_close(far.mean, 1000 * near.mean + 500, rtol=1e-3, atol=1)
    torch.testing.assert_close(far.stddev, 1000 * near.stddev, rtol=1e-3, atol=1)
    # p(1000 y + 500) = p(y) / 1000 in each of two columns
    shifted = near.log_prob(torch.from_numpy(y)) - 2 * np.log(1000)
    torch.testing.assert_close(far.log_prob(torch.from_numpy(far_y)), shifted, rtol=1e-3, atol=1e-2)


def test_untrained_it_predicts_about_the_mean_and_spread_of_the_targets() -> None:
    x, y = table(1000.0, 500.0)
    p = made(NUMBERS, x, target=y, likelihood="normal").predict(torch.from_numpy(x))
    spread = torch.from_numpy(y).std(dim=0)
    assert ((p.mean.mean(dim=0) - torch.from_numpy(y).mean(dim=0)).abs() < spread).all()
    torch.testing.assert_close(p.stddev[0], spread, rtol=0.01, atol=0)


def test_a_constant_input_column_is_no_input() -> None:
    x, y = table()
    x[:, 1] = 7
    model = made(NUMBERS, x, target=y)
    other = x.copy()
    other[:, 1] = 8
    assert model.predict(torch.from_numpy(x)).mean.isfinite().all()
    assert model.standardise_x.std[1] == 1
    assert model.predict(torch.from_numpy(other)).mean.isfinite().all()


def test_images_are_standardised_by_channel() -> None:
    rng = np.random.default_rng(0)
    spec = DataSpec("image", (3, 8, 8), target=DataSpec("image", (1, 8, 8)))
    x = rng.integers(0, [[[[100]], [[200]], [[256]]]], (50, 3, 8, 8)).astype(np.uint8)
    model = made(spec, x, target=x[:, :1])
    floats = torch.from_numpy(x) / 255
    torch.testing.assert_close(model.standardise_x.mean.flatten(), floats.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(model.standardise_x.std.flatten(), floats.std(dim=(0, 2, 3), correction=0))
    p = model.predict(floats)
    assert p.mean.shape == p.stddev.shape == (50, 1, 8, 8)


@pytest.mark.parametrize("likelihood", ["bernoulli", "categorical", "discretised-logistic", "laplace"])
def test_pixels_may_have_any_likelihood(likelihood: str) -> None:
    rng = np.random.default_rng(0)
    spec = DataSpec("image", (1, 8, 8), ("a", "b"), target=DataSpec("image", (3, 8, 8)))
    x, y = (rng.integers(0, 256, (20, c, 8, 8), dtype=np.uint8) for c in (1, 3))
    p = made(spec, x, target=y, y=np.zeros(20, np.int64), likelihood=likelihood).predict(
        torch.rand(2, 1, 8, 8)
    )
    assert p.mean.shape == (2, 3, 8, 8)
    assert p.log_prob(torch.rand(2, 3, 8, 8)).shape == (2,)


def test_whole_numbers_are_numbers_or_classes() -> None:
    spec = DataSpec("vector", (3,), ("0", "1"), target=DataSpec("vector", (1,)))
    x, _ = table()
    labels = (x[:, 0] > 0).astype(np.int64)
    batch = Batch(
        torch.from_numpy(x),
        torch.from_numpy(labels),
        Noise(0),
        target=torch.from_numpy(labels).float()[:, None],
    )
    arrays: Any = {"y": labels, "target": labels[:, None].astype(np.float32)}
    families = {"normal": torch.distributions.Normal, "bernoulli": Bernoulli, "categorical": Categorical}
    for likelihood, family in families.items():
        model = made(spec, x, **arrays, likelihood=likelihood)
        p = model.predict(batch.x)
        assert isinstance(p.base_dist if isinstance(p, Independent) else p, family)
        assert p.log_prob(model.targets(batch)).shape == (200,)


@pytest.mark.parametrize(
    ("spec", "likelihood", "message"),
    [
        (DataSpec("vector", (3,)), "auto", "nothing to predict; name the column of a table with --target"),
        (DataSpec("vector", (3,), ("a", "b")), "normal", "the targets are classes"),
        (DataSpec("vector", (3,), ("a", "b", "c")), "bernoulli", "needs 2 classes, there are 3"),
        (NUMBERS, "categorical", "needs classes or images"),
        (
            DataSpec("vector", (3,), target=DataSpec("image", (1, 8, 8))),
            "multivariate-normal",
            "needs vectors",
        ),
    ],
)
def test_what_cannot_be_predicted_is_said(spec: DataSpec, likelihood: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Regressor(spec, RegressorConfig(likelihood=likelihood))


def test_targets_outside_the_support_are_refused() -> None:
    x, y = table()
    for likelihood in ("bernoulli", "continuous-bernoulli"):
        with pytest.raises(DataError, match=r"needs \[0, 1\]"):
            made(NUMBERS, x, target=3 * y, likelihood=likelihood)


@pytest.mark.parametrize("likelihood", ["normal-learned", "multivariate-normal", "normal-shared"])
def test_the_spread_is_calibrated_on_held_out_examples(likelihood: str) -> None:
    x, _ = table()
    model = made(NUMBERS, x, target=x[:, :2], likelihood=likelihood).eval()
    inputs = torch.from_numpy(x)
    p = model.predict(inputs)
    torch.manual_seed(0)
    # what is held out scatters three times as much as the model says
    y = p.mean + 3 * (p.sample() - p.mean)
    batch = Batch(inputs, None, Noise(0), target=y)
    model.finish([batch])
    assert float(model.temperature) == pytest.approx(3, rel=0.15)
    torch.testing.assert_close(model.predict(inputs).stddev, model.temperature * p.stddev)
    again = model.temperature.clone()
    model.finish([batch])
    assert torch.equal(model.temperature, again), "calibrated twice is calibrated once"
    model.train()
    torch.testing.assert_close(model.predict(inputs).stddev, p.stddev)


def test_a_fixed_scale_stays_and_few_examples_say_nothing() -> None:
    x, y = table()
    for likelihood, n in (("normal", 200), ("laplace", 200), ("normal-learned", 20)):
        model = made(NUMBERS, x, target=y, likelihood=likelihood).eval()
        model.finish([Batch(torch.from_numpy(x[:n]), None, Noise(0), target=torch.from_numpy(9 * y[:n]))])
        assert model.temperature == 1


def test_classes_have_a_temperature() -> None:
    spec = DataSpec("vector", (3,), ("a", "b"))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 3)).astype(np.float32)
    model = made(spec, x, y=np.zeros(2000, np.int64)).eval()
    with torch.no_grad():
        for parameter in model.net.parameters():
            parameter *= 3
    p: Any = model.predict(torch.from_numpy(x))
    torch.manual_seed(0)
    # the truth is half as sure
    y = Categorical(logits=p.logits / 2).sample()
    model.finish([Batch(torch.from_numpy(x), y, Noise(0))])
    assert float(model.temperature) == pytest.approx(2, rel=0.2)
