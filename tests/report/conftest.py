"""Tiny runs of every kind of model, trained once for all tests of the report."""

from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.run import Run

EVALUATION = {
    "step": 20, "data": "digits@test", "examples": 157, "seed": 0, "elbo": -104.123, "nll": 98.31,
    "importance_samples": 100, "active_units": 4, "latent_dim": 5, "knn_accuracy": 0.961,
    "new_score": 1.5, "said_by": "<inception>",
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


@pytest.fixture(scope="session")
def mdn(folder: Path) -> Run:
    """A mixture for one number from one number."""
    run = Run(folder / "mdn")
    sim.train("mdn", "bishop-inverse:2000", run.path, components=3, steps=60, lr=0.01)
    return run


@pytest.fixture(scope="session")
def arm(folder: Path) -> Run:
    """A mixture for two joint angles, evaluated."""
    run = Run(folder / "arm")
    sim.train("mdn", "robot-arm:2000", run.path, components=3, steps=60, lr=0.01)
    run.log("evaluation", step=60, **sim.evaluate(sim.load(run.path), run.data()))
    return run


@pytest.fixture(scope="session")
def classifier(folder: Path) -> Run:
    run = Run(folder / "classifier")
    sim.train("regressor", "digits", run.path, steps=40)
    run.log("evaluation", step=40, **sim.evaluate(sim.load(run.path), run.data()))
    return run


@pytest.fixture(scope="session")
def painter(folder: Path) -> Run:
    """Colour images of 8x8 pixels from grey ones of 4x6."""
    rng = np.random.default_rng(0)
    y = rng.uniform(size=(120, 8, 8, 3)).astype(np.float32)
    np.savez(folder / "images.npz", images=y[:, ::2, 1:7, 0], targets=y)
    sim.train("regressor", f"npz:{folder / 'images.npz'}", folder / "painter", steps=5)
    return Run(folder / "painter")


@pytest.fixture(scope="session")
def generator(folder: Path) -> Run:
    """Untrained."""
    sim.train("generator", "gaussians-8:500", folder / "generator")
    return Run(folder / "generator")


@pytest.fixture(scope="session")
def naive(folder: Path) -> Run:
    """Collapsed."""
    sim.train("naive", "gaussians-8:2000", folder / "naive", steps=30)
    return Run(folder / "naive")


@pytest.fixture(scope="session")
def gan(folder: Path) -> Run:
    """Two players, scored as they trained, with a warning."""
    run = Run(folder / "gan")
    sim.train("gan", "gaussians-8:2000", run.path, hidden=(16,), steps=30, log_every=5, evaluate_every=10)
    run.log("warning", step=30, cause="collapse", text="samples <vary> little. Try more")
    return run


@pytest.fixture(scope="session")
def pix2pix(folder: Path) -> Run:
    """Grey images of 16x16 pixels from others, by a U-Net with dropout; evaluated."""
    rng, run = np.random.default_rng(0), Run(folder / "pix2pix")
    x, y = rng.uniform(size=(2, 120, 16, 16)).astype(np.float32)
    np.savez(folder / "pairs.npz", images=x, targets=y[..., None])
    sim.train("pix2pix", f"npz:{folder / 'pairs.npz'}", run.path, width=8, steps=4)
    scores = ("translation", "perceptual", "kid")
    run.log("evaluation", step=4, **sim.evaluate(sim.load(run.path), run.data(), metrics=scores))
    return run


@pytest.fixture(scope="session")
def cyclegan(folder: Path) -> Run:
    """Between images called night and day; evaluated by a classifier that knows these."""
    rng, run = np.random.default_rng(0), Run(folder / "cyclegan")
    y = np.arange(200) % 2
    x = rng.uniform(size=(200, 8, 8)).astype(np.float32) / 2 + y[:, None, None] / 2
    np.savez(folder / "domains.npz", images=x, labels=np.array(["day", "night"])[y])
    source = f"npz:{folder / 'domains.npz'}"
    judge = sim.train("classifier", source, folder / "judge", steps=20)
    sim.train("cyclegan", source, run.path, width=8, blocks=1, patch="16", steps=4)
    asked = {"metrics": ("translation", "kid", "classes"), "features": judge}
    run.log("evaluation", step=4, **sim.evaluate(sim.load(run.path), run.data(), **asked))
    return run
