"""Maximum likelihood with each head gives the estimate of the classical loss, known in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Distribution

from simulacra.config import Training
from simulacra.data import Data, Dataset, DataSpec, Options
from simulacra.engine.loop import train
from simulacra.models.mdn.card import MDNConfig
from simulacra.models.regressor.card import RegressorConfig
from simulacra.run import Run, RunConfig

N = 400
CLOSE = {"rtol": 0, "atol": 1e-4}


def fitted(
    folder: Path, config: Any, x: np.ndarray, y: np.ndarray, classes: tuple[str, ...] = (), seed: int = 0
) -> Distribution:
    """p(y | x) of a linear net, trained by the engine on the whole table at once, for every row."""
    target = None if classes else DataSpec("vector", y.shape[1:])
    spec = DataSpec("vector", x.shape[1:], classes, target=target)
    x = x.astype(np.float32)
    table = Dataset(spec, x, y=y) if classes else Dataset(spec, x, target=y.astype(np.float32))
    none = table.take(slice(0, 0))
    training = Training(
        steps=2500, batch_size=len(x), lr=0.05, schedule="cosine", betas=(0.9, 0.99), seed=seed
    )
    name = "mdn" if isinstance(config, MDNConfig) else "regressor"
    run = RunConfig(name, config, "table", Options(), spec, training)
    model: Any = train(Run(folder), run, Data("table", table, none, none), quiet=True)
    with torch.no_grad():
        p: Distribution = model.predict(torch.from_numpy(x))
    return p


def linear(likelihood: str) -> RegressorConfig:
    return RegressorConfig(likelihood=likelihood, hidden=())  # type: ignore[arg-type]  # a name


@pytest.fixture
def groups() -> np.ndarray:
    """An input that is 0 in one part of the rows and 1 in the other: a linear net is free in each."""
    return (np.arange(N) < N // 4).astype(float)[:, None]


def of_groups(groups: np.ndarray, y: np.ndarray, statistic: Any) -> torch.Tensor:
    """The statistic of each row's group."""
    values = np.stack([statistic(y[groups[:, 0] == g]) for g in (0, 1)])
    return torch.from_numpy(values[groups[:, 0].astype(int)]).float()


def spread(groups: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(N, 2)) @ np.array([[1.0, 0.5], [0.0, 0.3]])
    return (1 + 2 * groups) * noise + np.array([3.0, -1.0]) * groups


@pytest.mark.parametrize("scale", ["softplus", "exp"])
def test_normal_learned_gives_mean_and_standard_deviation(
    tmp_path: Path, groups: np.ndarray, scale: Any
) -> None:
    y = spread(groups)
    p = fitted(tmp_path, RegressorConfig(likelihood="normal-learned", hidden=(), scale=scale), groups, y)
    torch.testing.assert_close(p.mean, of_groups(groups, y, lambda y: y.mean(axis=0)), **CLOSE)
    torch.testing.assert_close(p.stddev, of_groups(groups, y, lambda y: y.std(axis=0)), **CLOSE)


def test_one_component_is_normal_learned(tmp_path: Path, groups: np.ndarray) -> None:
    y = spread(groups)
    p = fitted(tmp_path, MDNConfig(components=1, hidden=()), groups, y)
    torch.testing.assert_close(p.mean, of_groups(groups, y, lambda y: y.mean(axis=0)), **CLOSE)
    torch.testing.assert_close(p.stddev, of_groups(groups, y, lambda y: y.std(axis=0)), **CLOSE)


def test_full_covariance_gives_mean_and_covariance(tmp_path: Path, groups: np.ndarray) -> None:
    y = spread(groups)
    p = fitted(tmp_path, linear("multivariate-normal"), groups, y)
    assert isinstance(p, torch.distributions.MultivariateNormal)
    torch.testing.assert_close(p.mean, of_groups(groups, y, lambda y: y.mean(axis=0)), **CLOSE)
    covariance = of_groups(groups, y, lambda y: np.cov(y.T, bias=True))
    torch.testing.assert_close(p.covariance_matrix, covariance, **CLOSE)


def test_laplace_learned_gives_median_and_mean_absolute_deviation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    # odd numbers of rows, so that the median is one of them
    x = (np.arange(N + 2) < 101).astype(float)[:, None]
    y = (1 + x) * rng.laplace(size=(N + 2, 1)) + 3 * x
    p = fitted(tmp_path, linear("laplace-learned"), x, y)
    assert isinstance(p, torch.distributions.Independent)
    deviation = of_groups(x, y, lambda y: np.abs(y - np.median(y)).mean(axis=0))
    torch.testing.assert_close(p.mean, of_groups(x, y, lambda y: np.median(y, axis=0)), **CLOSE)
    torch.testing.assert_close(p.base_dist.scale, deviation, **CLOSE)


def test_continuous_bernoulli_has_the_mean_of_the_data(tmp_path: Path, groups: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    y = rng.beta(2 + 3 * groups, 2, size=(N, 1))
    p = fitted(tmp_path, linear("continuous-bernoulli"), groups, y)
    # an exponential family: at the maximum of the likelihood the means agree
    torch.testing.assert_close(p.mean, of_groups(groups, y, lambda y: y.mean(axis=0)), **CLOSE)


def test_bernoulli_and_categorical_give_frequencies(tmp_path: Path, groups: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, N) * (rng.uniform(size=N) < 0.3 + 0.5 * groups[:, 0])
    p = fitted(tmp_path / "k", linear("categorical"), groups, y, ("a", "b", "c"))
    assert isinstance(p, torch.distributions.Categorical)
    frequencies = of_groups(groups, y, lambda y: np.bincount(y, minlength=3) / len(y))
    torch.testing.assert_close(p.probs, frequencies, **CLOSE)
    p = fitted(tmp_path / "b", linear("bernoulli"), groups, np.minimum(y, 1), ("a", "b"))
    torch.testing.assert_close(p.mean, 1 - frequencies[:, :1], **CLOSE)


@pytest.fixture
def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N + 1, 3)) * np.array([1.0, 10.0, 0.1]) + 5
    return x, x @ np.array([[1.0], [-0.2], [4.0]]) + rng.standard_t(3, size=(N + 1, 1))


def test_normal_is_least_squares(tmp_path: Path, table: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = table
    A = np.hstack([x, np.ones((len(x), 1))])
    beta, residual, *_ = np.linalg.lstsq(A, y, rcond=None)
    for likelihood in ("normal", "normal-shared"):
        p = fitted(tmp_path / likelihood, linear(likelihood), x, y)
        torch.testing.assert_close(p.mean, torch.from_numpy(A @ beta).float(), rtol=0, atol=1e-4 * y.std())
    # its sigma is the root mean squared residual
    sigma = torch.full_like(p.stddev, float(np.sqrt(residual[0] / len(x))))
    torch.testing.assert_close(p.stddev, sigma, **CLOSE)


def test_laplace_is_least_absolute_deviations(tmp_path: Path, table: tuple[np.ndarray, np.ndarray]) -> None:
    from sklearn.linear_model import QuantileRegressor

    # with few rows the corner that is the minimum stands out
    x, y = (part[:61] for part in table)
    oracle = QuantileRegressor(quantile=0.5, alpha=0, solver="highs").fit(x, y[:, 0]).predict(x)
    p = fitted(tmp_path, linear("laplace"), x, y)
    torch.testing.assert_close(p.mean[:, 0], torch.from_numpy(oracle).float(), rtol=0, atol=1e-4 * y.std())


def test_bernoulli_and_categorical_are_logistic_regression(
    tmp_path: Path, table: tuple[np.ndarray, np.ndarray]
) -> None:
    from sklearn.linear_model import LogisticRegression

    x, score = table
    for name, cuts in (("bernoulli", (0.5,)), ("categorical", (0.3, 0.6))):
        y = np.digitize(score[:, 0], np.quantile(score, cuts))
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(z, y).predict_proba(z)
        p = fitted(tmp_path / name, linear(name), x, y, tuple("abc"[: len(cuts) + 1]))
        probs = (
            p.probs if isinstance(p, torch.distributions.Categorical) else torch.cat([1 - p.mean, p.mean], 1)
        )
        torch.testing.assert_close(probs, torch.from_numpy(oracle).float(), **CLOSE)
