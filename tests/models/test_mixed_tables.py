"""Models on a table with known truth: a hidden class decides numbers, categories, and what is missing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score

from simulacra.data import Data, Dataset, DataSpec, Options
from simulacra.data.tables.schema import Column, Schema
from simulacra.engine.loop import train
from simulacra.models.registry import model_card
from simulacra.run import Run, RunConfig

# a gain is 0 in many rows, and missing in others
SCHEMA = Schema(
    (
        Column("age", "number", decimals=3),
        Column("size", "number", decimals=4),
        Column("gain", "number", special=("0", ""), decimals=3, mean=230.0),
        Column("job", "category", ("a", "b", "c")),
        Column("sex", "category", ("f", "m")),
        Column("city", "category", tuple("uvwxyz")),
    )
)
SPEC = DataSpec("vector", (SCHEMA.width,), columns=SCHEMA.names, schema=SCHEMA)

# of each of four hidden classes: its share, and what its rows are like
SHARE = np.array([0.4, 0.3, 0.2, 0.1])
MEAN = np.array([[30, 1, 200], [45, 3, 120], [60, 2, 420], [38, 5, 300]])
STD = np.array([[5, 0.4, 30], [8, 0.5, 20], [6, 0.3, 60], [4, 0.8, 25]])
CODES = [
    np.array([[0.9, 0.05, 0.05], [0.3, 0.6, 0.1], [0.5, 0.1, 0.4], [0.2, 0.7, 0.1]]),
    np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.05, 0.15, 0.8]]),
    np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.5, 0.5]]),
    np.random.default_rng(5).dirichlet(np.ones(6), 4),
]


def rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    c = rng.choice(4, n, p=SHARE)
    numbers = MEAN[c] + STD[c] * rng.normal(size=(n, 3))
    picked = [
        np.eye(p.shape[1])[(rng.random((n, 1)) > p[c].cumsum(axis=1)[:, :-1]).sum(axis=1)] for p in CODES
    ]
    own, zero, missing = picked[0].T
    numbers[:, 2] = own * numbers[:, 2] + 0 * zero + 230 * missing
    return np.column_stack([numbers, *picked]).astype(np.float32)


def log_density(x: np.ndarray) -> np.ndarray:
    """ln sum_c P(c) p(x | c), exactly."""
    # (N, classes, numbers)
    each = -0.5 * ((x[:, None, :3].astype(float) - MEAN) / STD) ** 2 - np.log(STD) - 0.5 * np.log(2 * np.pi)
    each[:, :, 2] *= x[:, 3, None]
    codes = np.split(x[:, 3:], [3, 6, 8], axis=1)
    log_p = each.sum(axis=2) + sum(code @ np.log(p).T for code, p in zip(codes, CODES, strict=True))
    exact: np.ndarray = logsumexp(log_p + np.log(SHARE), axis=1)
    return exact


def two_sample_accuracy(a: np.ndarray, b: np.ndarray) -> float:
    """How often a classifier tells rows of a from rows of b, by cross-validation; .5 by guessing."""
    x = np.concatenate([a, b])
    y = np.repeat([0, 1], [len(a), len(b)])
    order = np.random.default_rng(0).permutation(len(x))
    trees = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    return float(cross_val_score(trees, x[order], y[order], cv=3).mean())


def trained(name: str, folder: Path, steps: int = 2000) -> Any:
    card = model_card(name)
    held = rows(500, 3)
    data = Data("truth", *(Dataset(SPEC, x) for x in (rows(5000, 0), held, held)))
    training = replace(card.training, steps=steps, device="cpu")
    config = RunConfig(name, card.Config(), "truth", Options(), SPEC, training)
    return train(Run(folder), config, data, quiet=True)


@pytest.fixture(scope="module")
def fresh() -> np.ndarray:
    return rows(2000, 1)


def test_two_draws_of_the_table_cannot_be_told_apart(fresh: np.ndarray) -> None:
    assert two_sample_accuracy(fresh, rows(2000, 2)) < 0.53


def test_pca_is_a_bound(tmp_path: Path, fresh: np.ndarray) -> None:
    pca = trained("pca", tmp_path / "pca")
    gap = log_density(fresh) - pca.log_likelihood(fresh).numpy()
    assert 0 < gap.mean() < 10


@pytest.mark.slow
def test_the_vae_learns_the_table(tmp_path: Path, fresh: np.ndarray) -> None:
    vae, pca = trained("vae", tmp_path / "vae"), trained("pca", tmp_path / "pca")
    nll, of_pca = (-float(model.log_likelihood(fresh).mean()) for model in (vae, pca))
    exact = -log_density(fresh).mean()
    assert exact < nll < 1.05 * exact
    assert nll < of_pca
    assert two_sample_accuracy(fresh, vae.sample(2000, seed=0).numpy()) < 0.6


@pytest.mark.slow
def test_the_gan_learns_the_table(tmp_path: Path, fresh: np.ndarray) -> None:
    samples = trained("gan", tmp_path / "gan", steps=1000).sample(2000, seed=0).numpy()
    assert two_sample_accuracy(fresh, samples) < 0.8
