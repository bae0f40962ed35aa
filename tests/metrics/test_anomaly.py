"""Scores of anomalies whose distribution is known, their AUC, and how people get them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from sklearn.metrics import roc_auc_score

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.capabilities import BoundsLikelihood, Elbo
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.metrics.anomaly import ELBO_DRAWS, anomaly_scores
from simulacra.metrics.roc import auc, delong

RNG = np.random.default_rng(0)
# one factor and noise, as probabilistic PCA has it: p(x) = N(0, w w^T + 0.25 I)
W = np.array([1.0, -1.0, 1.0, 1.0])
COVARIANCE = np.outer(W, W) + 0.25 * np.eye(4)


def rows(n: int, scale: float = 1.0) -> np.ndarray:
    return (scale * RNG.multivariate_normal(np.zeros(4), COVARIANCE, n)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pca of rows.npz, and wide.npz with rows at three times their distance from the mean."""
    place = tmp_path_factory.mktemp("anomalies")
    np.savez(place / "rows.npz", x=rows(4000))
    np.savez(place / "wide.npz", x=rows(500, scale=3.0))
    sim.train("pca", f"npz:{place}/rows.npz", place / "run", latent_dim=1)
    return place


def test_the_likelihood_separates_as_well_as_the_true_density(folder: Path) -> None:
    model = sim.load(folder / "run")
    usual, wide = rows(2000), rows(2000, scale=3.0)
    spec = model.spec
    found = [anomaly_scores(model, Dataset(spec, part)) for part in (usual, wide)]
    assert list(found[0]) == ["reconstruction_error", "negative_elbo", "nll"]
    member = np.arange(4000) >= 2000
    exact = -multivariate_normal(np.zeros(4), COVARIANCE).logpdf(np.concatenate([usual, wide]))
    ours = np.concatenate([one["nll"] for one in found])
    assert ours == pytest.approx(exact, rel=0.1, abs=0.5)
    assert auc(ours, member)[0] == pytest.approx(roc_auc_score(member, exact), abs=0.005)


def test_the_likelihood_of_a_vae_is_never_below_its_bound(tmp_path: Path) -> None:
    model, digits = sim.train("vae", "digits", tmp_path / "run", steps=100), sim.load_data("digits").test
    scores = anomaly_scores(model, digits)
    # Jensen's inequality holds for each example, as the draws are the same
    assert (scores["nll"] <= scores["negative_elbo"] + 1e-3).all()
    # what chance is left is small beside the differences between examples
    other = anomaly_scores(model, digits, seed=1)["negative_elbo"]
    assert np.std(other - scores["negative_elbo"]) < 0.05 * np.std(other)


class Noisy(BoundsLikelihood):
    """A bound of 5 nats, with a standard deviation of 1 over draws of z."""

    def elbo(self, x: torch.Tensor, seed: int | Noise = 0) -> Elbo:
        return Elbo(5 + Noise.of(seed).normal(len(x)), torch.zeros(len(x)))


def test_a_bound_without_weights_is_averaged_over_draws() -> None:
    data = Dataset(DataSpec("vector", (4,)), rows(2000))
    score = anomaly_scores(Noisy(data.spec, None), data)["negative_elbo"]
    assert score.mean() == pytest.approx(-5, abs=0.03)
    assert score.std() == pytest.approx(1 / np.sqrt(ELBO_DRAWS), rel=0.1)


def test_auc_is_that_of_scikit_learn_and_its_interval_holds() -> None:
    # two normals a distance d apart: AUC = Phi(d / sqrt 2)
    true, inside, score = norm.cdf(1 / np.sqrt(2)), 0, np.zeros(0)
    member = np.arange(120) >= 80
    for _ in range(400):
        score = RNG.normal(size=120) + member
        _, low, high = auc(score, member)
        inside += low < true < high
    assert 0.92 < inside / 400 < 0.98
    assert delong(score, member)[0] == pytest.approx(roc_auc_score(member, score), abs=1e-12)
    assert auc(np.array([0.0, 0, 1, 1]), np.array([0, 0, 1, 1], bool))[0] == 1
    # nothing separates them: the interval is wide, and stays inside 0 and 1
    assert auc(np.zeros(4), np.array([0, 0, 1, 1], bool))[1] > 0


def test_evaluate_against_anomalies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wide, command = f"npz:{folder}/wide.npz", ["evaluate", str(folder / "run"), "--json"]
    assert main([*command, "--metrics", "nll", "--anomalies", wide]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["anomalies"] == f"{wide}@test"
    assert found["anomalous_examples"] == 500
    low, high = found["auc_nll_interval"]
    assert 0.7 < low < found["auc_nll"] < high < 1
    # the ELBO of pca is exact
    assert found["auc_negative_elbo"] == pytest.approx(found["auc_nll"], abs=1e-6)
    same = sim.evaluate(sim.load(folder / "run"), f"npz:{folder}/rows.npz", metrics=["nll"], anomalies=wide)
    assert same["auc_nll"] == found["auc_nll"]
    assert main([*command, "--metrics", "anomaly"]) == 2
    assert "name them with --anomalies SOURCE" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="no reconstructions and no likelihood"):
        sim.evaluate(
            sim.GAN(sim.load(folder / "run").spec, sim.MODELS["gan"].Config()), rows(50), anomalies=rows(50)
        )


def test_predict_writes_the_scores_of_every_example(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, run = tmp_path / "scores.csv", str(folder / "run")
    assert main(["predict", run, "--data", f"npz:{folder}/wide.npz", "--out", str(out)]) == 0
    with out.open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert list(table[0]) == ["row", "split", "reconstruction_error", "negative_elbo", "nll"]
    model = sim.load(folder / "run")
    x = np.load(folder / "wide.npz")["x"]
    assert [float(row["nll"]) for row in table] == pytest.approx(
        (-model.log_likelihood(x)).tolist(), rel=1e-5
    )
    words = ["predict", run, "--data", f"npz:{folder}/wide.npz", "--samples", "2"]
    assert main([*words, "--out", str(tmp_path / "other.csv")]) == 2
    assert "predicts no distribution to draw from" in capsys.readouterr().err
