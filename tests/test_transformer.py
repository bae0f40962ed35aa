"""Models as scikit-learn transformers: its own checks, pipelines, and latents whose answer is known."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

import simulacra as sim
from simulacra.data.text import grammar
from simulacra.errors import ConfigError, RunError
from simulacra.run import Run

CHECKS = [
    pytest.param(transformer, check, id=f"{transformer.model}-{check.func.__name__}")
    for transformer in (sim.as_transformer("vae", latent_dim=2, steps=5),)
    for _, check in estimator_checks_generator(transformer, mark=None)
    # settings are parameters without being arguments of their own
    if check.func.__name__ != "check_no_attributes_set_in_init"
]


@pytest.mark.slow
@pytest.mark.parametrize(("transformer", "check"), CHECKS)
def test_scikit_learns_own_checks(transformer: Any, check: Any) -> None:
    check(clone(transformer))


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X, y


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "digits-pca"
    sim.train("pca", "digits", path, latent_dim=4)
    return path


def test_pca_projects_on_the_components_of_scikit_learn(digits: tuple[np.ndarray, np.ndarray]) -> None:
    X = digits[0][:, digits[0].std(axis=0) > 0]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    ours, theirs = sim.as_transformer("pca", latent_dim=5).fit(X), PCA(5).fit(X)
    z = ours.transform(X)
    reference = theirs.transform(X)
    correlation = np.corrcoef(z.T, reference.T)[:5, 5:]
    assert np.abs(np.diag(correlation)) == pytest.approx([1] * 5, abs=1e-3)
    assert ours.get_feature_names_out().tolist() == ["z0", "z1", "z2", "z3", "z4"]
    # the posterior mean is shrunk, so that its reconstruction is a little further from X
    error = np.square(ours.inverse_transform(z) - X).mean()
    best = np.square(theirs.inverse_transform(reference) - X).mean()
    assert best < error < 1.05 * best


def test_a_trained_run_is_left_as_it_is(run: Path) -> None:
    model = sim.load(run)
    images = sim.load_data("digits").test.x
    expected = model.encode(images).mean.numpy()
    for one in (str(run), run, Run(run), model):
        transformer = sim.as_transformer(one)
        # without fit, and after one on other images
        assert np.array_equal(transformer.transform(images), expected)
        assert transformer.inverse_transform(expected).shape == (len(images), 1, 8, 8)
        assert np.array_equal(clone(transformer).fit(images[:3]).transform(images), expected)
        again = pickle.loads(pickle.dumps(transformer))
        assert np.array_equal(again.transform(images), expected)
    flat = images.reshape(len(images), -1) / 255
    fitted = sim.as_transformer(run).fit(flat)
    assert fitted.transform(flat) == pytest.approx(expected, abs=1e-5)
    assert fitted.inverse_transform(expected).shape == flat.shape


def test_in_pipelines_cross_validation_and_searches(run: Path, digits: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = digits[0] / 16, digits[1]
    probe = make_pipeline(sim.as_transformer(run), LogisticRegression(max_iter=500))
    assert cross_val_score(probe, X, y, cv=3).min() > 0.65
    probe = make_pipeline(sim.as_transformer("pca", latent_dim=2), LogisticRegression(max_iter=500))
    search = GridSearchCV(probe, {"latenttransformer__latent_dim": [1, 10]}, cv=2).fit(X, y)
    assert search.best_params_ == {"latenttransformer__latent_dim": 10}
    assert search.best_score_ > 0.8
    named = probe.fit(X, y)[:-1].set_output(transform="pandas").transform(X[:3])
    assert list(named.columns) == ["z0", "z1"]


def test_images_keep_their_layout_and_training_is_repeated_exactly() -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    first, second, other = (
        sim.as_transformer("vae", latent_dim=3, hidden=(8,), steps=5, seed=seed).fit(x) for seed in (0, 0, 1)
    )
    z = first.transform(x)
    assert z.shape == (60, 3)
    assert np.array_equal(z, second.transform(x))
    assert not np.array_equal(z, other.transform(x))
    assert first.inverse_transform(z).shape == x.shape
    # the random numbers of the program are left alone
    assert sim.as_transformer("vae", steps=5).fit(x[..., 0]).inverse_transform(np.zeros((2, 16))).shape == (
        2,
        8,
        8,
    )


def test_a_table_with_words_of_a_trained_run(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"n": np.arange(100.0) % 7, "m": np.arange(100.0) % 5, "word": ["a", "b"] * 50})
    model = sim.train("pca", frame, tmp_path / "run", latent_dim=2)
    assert sim.as_transformer(model).fit(frame).transform(frame).shape == (100, 2)


def test_what_cannot_be_used_is_said_at_once(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown model 'vea', did you mean 'vae'"):
        sim.as_transformer("vea")
    with pytest.raises(ConfigError, match="unknown setting 'latent_dims'"):
        sim.as_transformer("vae", latent_dims=3)
    with pytest.raises(ConfigError, match="this gan has no encoder"):
        sim.as_transformer("gan")
    with pytest.raises(ConfigError, match="latent_dim cannot be set for a trained model"):
        sim.as_transformer(run, latent_dim=3)
    with pytest.raises(RunError, match="no run here"):
        sim.as_transformer(tmp_path / "none")
    with pytest.raises(RunError, match="did you mean"):
        sim.as_transformer(f"{run}s")
    with pytest.raises(ConfigError, match="space: unknown 'w'"):
        sim.as_transformer(run, space="w").get_feature_names_out()
    with pytest.raises(NotFittedError):
        sim.as_transformer("pca").transform(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="latent_dim: must be from 1 to 2"):
        sim.as_transformer("pca", latent_dim=3).fit(np.random.default_rng(0).normal(size=(9, 3)))
    with pytest.raises(ValueError, match="divide by 255"):
        sim.as_transformer(run).transform(255.0 * np.ones((3, 64)))
    with pytest.raises(ValueError, match="the latent space 'z' has"):
        sim.as_transformer(run).inverse_transform(np.zeros((3, 5)))


def test_sentences_become_latents_and_strings_again() -> None:
    texts = np.array(grammar.sample(120, seed=2))
    few = {"latent_dim": 3, "width": 8, "embedding": 8}
    transformer = sim.as_transformer("sentence_autoencoder", steps=2, **few).fit(texts)
    z = transformer.transform(texts[:4])
    assert z.shape == (4, 3)
    again = transformer.inverse_transform(z)
    assert again.tolist() == transformer.model_.texts(transformer.model_.reconstruct(list(texts[:4])))
    # those that are too long are cut
    assert transformer.transform(["word " * 100]).shape == (1, 3)
    with pytest.raises(ValueError, match="must be a list of sentences"):
        transformer.transform(np.zeros((2, 3)))
    length = np.array([len(text) > 35 for text in texts])
    probe = make_pipeline(transformer, LogisticRegression())
    assert 0 < cross_val_score(probe, texts, length, cv=2).min() <= 1
