"""The scikit-learn estimators: its own checks, pipelines, and the distributions they give."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.estimator_checks import estimator_checks_generator

from simulacra import DistributionRegressor, MDNRegressor

# enough for the checks that ask for a fit, and there are many
CHECKS = [
    pytest.param(estimator, check, id=f"{type(estimator).__name__}-{check.func.__name__}")
    for estimator in (MDNRegressor(steps=300), DistributionRegressor(steps=300))
    for _, check in estimator_checks_generator(estimator, mark=None)
]


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(clone(estimator))


@pytest.fixture(scope="module")
def fork() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.uniform(0.5, 1, (1000, 1))
    return X, rng.choice([-1, 1], 1000) * X[:, 0] + 0.05 * rng.normal(size=1000)


def test_mdn_keeps_two_answers_apart(fork: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = fork
    mdn = MDNRegressor(components=2, steps=500, random_state=0).fit(X, y)
    normal = DistributionRegressor(steps=500, random_state=0).fit(X, y)
    assert np.abs(mdn.predict(X)).mean() < 0.15
    assert np.abs(np.abs(mdn.mode(X)) - X[:, 0]).mean() < 0.05
    draws = mdn.sample(X, n_samples=40, random_state=0)
    assert draws.shape == (1000, 40)
    assert np.abs(np.abs(draws) - X).mean() < 0.1
    assert 0.3 < (draws > 0).mean() < 0.7
    # two spikes of sigma 0.05 against one hump over both: more than a nat apart
    assert mdn.log_prob(X, y).mean() > normal.log_prob(X, y).mean() + 1
    # the entropy of +-x with sigma 0.05 is log 2 + log(0.05 sqrt(2 pi e))
    exact = -np.log(2) - np.log(0.05 * np.sqrt(2 * np.pi * np.e))
    assert mdn.log_prob(X, y).mean() == pytest.approx(exact, abs=0.15)


def test_same_random_state_same_answers(fork: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = fork
    first, second, other = (
        MDNRegressor(components=2, steps=50, random_state=seed).fit(X, y) for seed in (0, 0, 1)
    )
    assert np.array_equal(first.predict(X), second.predict(X))
    assert not np.array_equal(first.predict(X), other.predict(X))
    assert np.array_equal(first.sample(X, random_state=1), second.sample(X, random_state=1))
    again = pickle.loads(pickle.dumps(first))
    assert np.array_equal(first.log_prob(X, y), again.log_prob(X, y))


def test_several_targets(fork: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = fork
    Y = np.stack([y, 100 * y], axis=1)
    model = MDNRegressor(components=2, covariance="full", steps=50, random_state=0).fit(X, Y)
    mean, std = (DistributionRegressor(steps=50, random_state=0).fit(X, Y)).predict(X, return_std=True)
    assert model.predict(X).shape == mean.shape == std.shape == Y.shape
    assert model.sample(X, 3).shape == (1000, 3, 2)
    assert model.log_prob(X, Y).shape == (1000,)
    assert std[:, 1].mean() == pytest.approx(100 * std[:, 0].mean(), rel=0.2)


def test_in_pipelines_and_searches(fork: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = fork
    y = X[:, 0] ** 2
    model = make_pipeline(PolynomialFeatures(2), DistributionRegressor(steps=100, random_state=0))
    assert cross_val_score(model, X, y, cv=3).min() > 0.8
    search = GridSearchCV(MDNRegressor(steps=30, random_state=0), {"components": [1, 2]}, cv=2).fit(X, y)
    assert search.best_params_["components"] in (1, 2)


def test_bad_input_is_a_value_error(fork: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = fork
    with pytest.raises(ValueError, match=r"needs \[0, 1\]"):
        DistributionRegressor(likelihood="continuous-bernoulli", steps=5).fit(X, y)
    with pytest.raises(NotFittedError):
        MDNRegressor().predict(X)


@pytest.mark.slow
@pytest.mark.parametrize("folds", [5, pytest.param(10, marks=pytest.mark.torture)])
def test_diabetes_learned_variance_pays_and_intervals_hold(folds: int) -> None:
    X, y = load_diabetes(return_X_y=True)
    nll, inside = {}, {}
    for likelihood in ("normal", "normal-shared", "normal-learned"):
        log_p, z = [], []
        for train, test in KFold(folds, shuffle=True, random_state=0).split(X):
            model = DistributionRegressor(likelihood, random_state=0).fit(X[train], y[train])
            log_p.append(model.log_prob(X[test], y[test]))
            mean, std = model.predict(X[test], return_std=True)
            z.append(np.abs(y[test] - mean) / std)
        nll[likelihood] = -np.concatenate(log_p).mean()
        inside[likelihood] = [float((np.concatenate(z) <= q).mean()) for q in (0.6745, 1.2816, 1.96)]
    assert nll["normal-learned"] < nll["normal-shared"] < nll["normal"]
    assert np.abs(np.array(inside["normal-learned"]) - [0.5, 0.8, 0.95]).max() < 0.05
