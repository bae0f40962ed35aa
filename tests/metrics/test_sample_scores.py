"""All scores at once: the numbers of their own functions, and what they depend on beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra.errors import ConfigError, DataError
from simulacra.metrics.frechet import frechet_distance
from simulacra.metrics.inception import inception_score
from simulacra.metrics.kernel import kernel_distance
from simulacra.metrics.prdc import prdc
from simulacra.metrics.sample_scores import score_samples

METRICS = ("fid", "kid", "prdc", "is", "classes", "memorisation")
RNG = np.random.default_rng(0)
REAL = RNG.normal(size=(200, 3)).astype(np.float32)
FAKE = (RNG.normal(size=(150, 3)) + 0.5).astype(np.float32)
IMAGES = RNG.integers(0, 256, size=(2, 40, 1, 4, 4)).astype(np.uint8)


class Halves:
    """Sums of the upper and the lower half, and which is brighter."""

    name, weights, size, resize = "halves", "1", None, "none"

    def features(self, x: Tensor) -> Tensor:
        return x.flatten(1).unflatten(1, (2, -1)).sum(dim=2)

    def probabilities(self, x: Tensor) -> Tensor | None:
        return self.features(x).softmax(dim=1)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path))


def test_every_score_is_that_of_its_function() -> None:
    found = score_samples(FAKE, REAL, "raw", METRICS, seed=3, subsets=6)
    sigma = [np.cov(x, rowvar=False) for x in (FAKE, REAL)]
    mu = [x.mean(axis=0, dtype=np.float64) for x in (FAKE, REAL)]
    assert found["fid"] == pytest.approx(frechet_distance(mu[0], sigma[0], mu[1], sigma[1]), rel=1e-6)
    kid = kernel_distance(FAKE, REAL, 6, 75, seed=3)
    assert (found["kid"], found["kid_error"]) == (kid.mean, kid.error)
    assert {n: found[n] for n in ("precision", "recall", "density", "coverage")} == vars(prdc(REAL, FAKE, 5))
    assert "inception_score" not in found
    assert (found["duplicates"], found["copies"]) == (0, 0)
    # half a deviation away in each of three directions
    assert found["fid"] == pytest.approx(0.75, abs=0.4)


def test_what_the_scores_depend_on_is_told() -> None:
    found = score_samples(FAKE, REAL, metrics=METRICS, seed=3)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    told = {
        "extractor": "raw",
        "weights": "",
        "resize": "none",
        "features": 3,
        "samples": 150,
        "real": 200,
        "seed": 3,
        "kid_subsets": 100,
        "kid_subset_size": 75,
        "neighbours": 5,
        "train": 200,
    }
    assert {name: found[name] for name in told} == told


def test_images_and_their_classes() -> None:
    samples, real = IMAGES
    found = score_samples(samples, real, Halves())
    sums = samples.reshape(40, 2, 8).sum(axis=2) / 255
    probs = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    expected = inception_score(probs, splits=10, seed=0)
    assert found["inception_score"] == pytest.approx(expected.mean, rel=1e-5)
    assert found["inception_score_std"] == pytest.approx(expected.std, rel=1e-4)
    assert (found["extractor"], found["splits"], found["features"]) == ("halves", 10, 2)
    # as the model gives them, and from the cache
    assert score_samples(torch.from_numpy(samples).float() / 255, torch.from_numpy(real), Halves()) == found


def test_only_what_is_asked_for() -> None:
    found = score_samples(FAKE, REAL, metrics=["fid"])
    assert set(found) == {"extractor", "weights", "resize", "features", "samples", "real", "seed", "fid"}


def test_repeated_training_examples_are_seen() -> None:
    train, held_out = IMAGES
    samples = train[[0, 1, 2, 3, 3]]
    found = score_samples(samples, held_out, "raw", ["memorisation"], train=train)
    assert (found["copies"], found["duplicates"], found["train"]) == (5, 1, 40)
    assert found["closer_to_train"] == 1
    assert found["closer_expected"] < 0.9
    assert score_samples(samples, held_out, "raw", ["memorisation"])["copies"] == 0


def test_scores_of_as_many_real_examples_stand_beside_those_of_samples() -> None:
    train = RNG.normal(size=(400, 3)).astype(np.float32)
    found = score_samples(FAKE, REAL, "raw", METRICS, train=train)
    rows = np.sort(np.random.default_rng(0).permutation(400)[: len(FAKE)])
    expected = score_samples(train[rows], REAL, "raw", ("fid", "kid", "prdc"))
    scores = ("fid", "kid", "kid_error", "precision", "recall", "density", "coverage")
    assert found["real_against_real"] == {name: expected[name] for name in scores}
    assert found["real_against_real"]["fid"] < 0.1 < found["fid"]
    assert "cautions" not in found
    # with fewer training examples than samples there are none
    found = score_samples(FAKE, REAL, "raw", ["kid"], train=train[:100])
    assert "real_against_real" not in found
    assert found["cautions"] == {
        "kid": "what real examples would score is unknown: 150 training examples are needed, and there are"
        " 100"
    }


def test_a_score_of_fewer_samples_than_features_is_marked_or_withheld() -> None:
    train, real, samples = np.random.default_rng(0).normal(size=(3, 46, 3072)).astype(np.float32)
    found = score_samples(samples, real, "raw", ("fid", "kid"), train=train)
    bias = found["real_against_real"]["fid"]
    # all three have one distribution, whose distance is 0
    assert bias == pytest.approx(found["fid"], rel=0.05)
    assert bias > 1000
    assert found["cautions"] == {
        "fid": "46 samples are fewer than the 3,072 features, so that most of this score is bias: real"
        f" examples score {bias:.4g} against real ones"
    }
    withheld = score_samples(samples, real, "raw", ("fid", "kid"), train=train[:20])
    assert "fid" not in withheld
    assert withheld["left_out"] == "fid needs more samples than its 3,072 features, not 46"
    assert withheld["kid"] == found["kid"]
    # as while a model trains: the change from step to step counts
    alone = score_samples(samples, real, "raw", ("fid", "kid"))
    assert alone["fid"] == found["fid"]
    assert alone["cautions"]["fid"].endswith("so that most of this score is bias")


def test_the_seed_matters_and_repeats() -> None:
    one, same, other = (score_samples(FAKE, REAL, metrics=["kid"], seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one["kid"] != other["kid"]


def test_impossible_questions() -> None:
    with pytest.raises(ConfigError, match="unknown 'fdi', did you mean 'fid'"):
        score_samples(FAKE, REAL, metrics=["fdi"])
    with pytest.raises(ConfigError, match=r"samples of shape \(2,\) against real examples of shape \(3,\)"):
        score_samples(FAKE[:, :2], REAL)
    with pytest.raises(ConfigError, match=r"against training examples of shape \(2,\)"):
        score_samples(FAKE, REAL, train=REAL[:, :2])
    with pytest.raises(DataError, match=r"5 examples are too few for fid, prdc: take at least 6"):
        score_samples(FAKE[:5], REAL, metrics=["fid", "prdc"])
    with pytest.raises(DataError, match="NaN"):
        score_samples(np.full((10, 3), np.nan), REAL)
    with pytest.raises(ConfigError, match="covariance of 12288 features is too large"):
        score_samples(np.zeros((8, 3, 64, 64), np.uint8), np.zeros((8, 3, 64, 64), np.uint8), metrics=["fid"])


def test_few_examples_are_judged_as_they_are() -> None:
    found = score_samples(FAKE[:6], REAL[:6])
    assert found["kid_subset_size"] == 3
    assert all(np.isfinite(found[name]) for name in ("fid", "kid", "kid_error", "precision"))


def test_classes_are_counted_as_the_extractor_sees_them() -> None:
    upper, lower = np.zeros((2, 1, 1, 4, 4), np.uint8)
    upper[..., :2, :], lower[..., 2:, :] = 255, 255
    samples, real = np.concatenate([upper] * 9 + [lower] * 1), np.concatenate([upper] * 5 + [lower] * 5)
    found = score_samples(
        samples[:, None].reshape(-1, 1, 4, 4), real.reshape(-1, 1, 4, 4), Halves(), ("classes",)
    )
    assert found["class_shares"] == [0.9, 0.1]
    assert found["class_shares_data"] == [0.5, 0.5]
    assert found["class_share_difference"] == pytest.approx(0.4)
