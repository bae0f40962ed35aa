"""Tiny runs of every kind of model, trained once for all tests of the report."""

from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.run import Run

EVALUATION = {
    "step": 20, "data": "digits@test", "examples": 157, "seed": 0, "elbo": -104.123, "nll": 98.31,
    "importance_samples": 100, "active_units": 4, "latent_dim": 5, "knn_accuracy": 0.961,
    "new_score": 1.5, "extractor": "<inception>",
}  # fmt: skip


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def vae(folder: Path) -> Run:
    sim.train("vae", "digits", folder / "vae", latent_dim=2, steps=20, log_every=5)
    return Run(folder / "vae")


@pytest.fixture(scope="session")
def vae5(folder: Path) -> Run:
    """With five latent dimensions and an evaluation, in a folder with an awkward name."""
    run = Run(folder / "a <b> & 'c'")
    sim.train("vae", "digits", run.path, latent_dim=5, steps=20, log_every=5, seed=3)
    run.log("evaluation", **EVALUATION)
    return run


@pytest.fixture(scope="session")
def autoencoder(folder: Path) -> Run:
    sim.train("autoencoder", "digits", folder / "autoencoder", latent_dim=1, steps=20, log_every=5)
    return Run(folder / "autoencoder")


@pytest.fixture(scope="session")
def pca(folder: Path) -> Run:
    sim.train("pca", "digits", folder / "pca", latent_dim=5)
    return Run(folder / "pca")


def save_vectors(path: Path) -> None:
    """An archive of 300 labelled vectors of 3 numbers."""
    x = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)
    np.savez(path, x=x, y=(x[:, 0] > 0).astype(np.int64))


@pytest.fixture(scope="session")
def vectors(folder: Path) -> Run:
    save_vectors(folder / "vectors.npz")
    sim.train("vae", f"npz:{folder / 'vectors.npz'}", folder / "vectors", latent_dim=2, steps=20, log_every=5)
    return Run(folder / "vectors")
