"""`simulacra density` as a person uses it: an autoencoder becomes a generator."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import simulacra as sim
from simulacra.cli.main import main
from simulacra.core.capabilities import Conditional, Generates
from simulacra.core.latents import StandardNormal
from simulacra.core.model_prior import ModelPrior
from simulacra.run import Run
from simulacra.tasks.density import fit_density, latent_data


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("density")
    for model in ("autoencoder", "vae", "gan"):
        words = ["--steps", "30", "--latent-dim", "4", "--out", str(folder / model)]
        assert main(["train", model, "--data", "digits", *words]) == 0
    return folder


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def test_an_autoencoder_samples_once_a_density_is_fitted(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = str(runs / "autoencoder"), runs / "x.npz"
    assert main(["sample", run, "--out", str(out)]) == 1
    assert "does not sample" in capsys.readouterr().err
    assert main(["density", run, "--kind", "pca", "--latent-dim", "2"]) == 0
    printed = capsys.readouterr().out
    assert (Run(run).path / "latent/priors/pca/density.png").is_file()
    assert "ln p(z) of held-out latents of 4 numbers" in printed
    assert main(["sample", run, "-n", "5", "--out", str(out)]) == 0
    x = np.load(out)["x"]
    model = sim.load(run)
    assert isinstance(model, Generates)
    assert isinstance(model.prior, ModelPrior)
    np.testing.assert_array_equal(x, model.sample(5, seed=0).numpy())
    # every tool that samples finds it
    assert main(["evaluate", run, "--metrics", "samples", "--json"]) == 0
    assert '"mean_distance"' in capsys.readouterr().out
    assert main(["interpolate", run, "--seeds", "1,2", "--out", str(runs / "strip.png")]) == 0
    assert main(["report", run]) == 0
    page = (runs / "autoencoder" / "report.html").read_text()
    assert "Density of the latents" in page
    assert "Real images and samples" in page


def test_the_density_fitted_last_is_the_default_and_any_is_chosen_by_name(runs: Path) -> None:
    run = Run(runs / "autoencoder")
    for name, k in (("b", 1), ("a", 2)):
        fit_density(run, "pca", name, latent_dim=k)
    assert run.priors == ["b", "a"]
    assert [run.load(prior).prior.model.config.latent_dim for prior in (None, "a", "b")] == [2, 2, 1]
    fit_density(run, "pca", "b", latent_dim=1)
    assert run.priors == ["a", "b"]


def test_a_model_with_a_prior_of_its_own_keeps_it_unless_another_is_named(runs: Path) -> None:
    run, out = str(runs / "vae"), [str(runs / f"{i}.npz") for i in range(3)]
    assert main(["sample", run, "-n", "3", "--out", out[0]]) == 0
    assert main(["density", run, "--kind", "pca", "--latent-dim", "2"]) == 0
    assert isinstance(sim.load(run).prior, StandardNormal)
    assert main(["sample", run, "-n", "3", "--out", out[1]]) == 0
    assert main(["sample", run, "-n", "3", "--prior", "pca", "--out", out[2]]) == 0
    own, same, fitted = (np.load(file)["x"] for file in out)
    np.testing.assert_array_equal(own, same)
    assert not np.array_equal(own, fitted)


def test_a_density_of_classes_samples_a_class(runs: Path) -> None:
    run = str(runs / "autoencoder")
    assert main(["density", run, "--kind", "conditional_gan", "--steps", "5"]) == 0
    model = sim.load(run)
    assert isinstance(model, Conditional)
    assert main(["sample", run, "-n", "3", "--class", "7", "--out", str(runs / "x.npz")]) == 0
    x = np.load(runs / "x.npz")["x"]
    np.testing.assert_array_equal(x, model.for_class("7").sample(3, seed=0).numpy())
    # real examples are still edited and reconstructed without a class
    assert main(["reconstruct", run, "--data", "digits", "-n", "2", "--out", str(runs / "p.png")]) == 0


def test_latents_are_draws_of_the_posterior_with_splits_and_classes_of_the_examples(runs: Path) -> None:
    run = Run(runs / "vae")
    model, data = run.load(), run.data()
    latents = latent_data(model, data, seed=3)
    for name in ("train", "validation", "test"):
        assert len(latents.split(name)) == len(data.split(name))
        np.testing.assert_array_equal(latents.split(name).y, data.split(name).y)
    q = model.encode(torch.from_numpy(data.train.x).float() / 255)
    eps = (latents.train.x - q.mean.numpy()) / q.stddev.numpy()
    assert abs(eps.mean()) < 0.05
    assert eps.std() == pytest.approx(1, abs=0.05)
    np.testing.assert_array_equal(latent_data(model, data, seed=3).train.x, latents.train.x)
    # of an autoencoder, the latents themselves
    model = Run(runs / "autoencoder").load()
    x = torch.from_numpy(data.train.x).float() / 255
    np.testing.assert_allclose(latent_data(model, data).train.x, model.encode(x).mean.numpy(), atol=1e-5)


def test_fitted_again_it_is_there_already_and_otherwise_it_is_kept_unless_replaced(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(runs / "autoencoder")
    words = ["density", run, "--kind", "pca", "--name", "p", "--latent-dim"]
    assert main([*words, "2"]) == 0
    weights = Run(runs / "autoencoder/latent/priors/p").weights
    before = weights.read_bytes()
    assert main([*words, "2"]) == 0
    assert weights.read_bytes() == before
    capsys.readouterr()
    assert main([*words, "3"]) == 1
    assert "has a prior 'p' that was fitted otherwise (latent_dim 2 there, 3 here)" in capsys.readouterr().err
    assert weights.read_bytes() == before
    assert main([*words, "3", "--overwrite"]) == 0
    assert sim.load(run).prior.model.config.latent_dim == 3


def test_a_density_of_other_weights_is_not_used(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = runs / "autoencoder"
    assert main(["density", str(run), "--kind", "pca", "--latent-dim", "2"]) == 0
    words = ["--data", "digits", "--latent-dim", "4", "--steps", "40", "--out", str(run)]
    assert main(["train", "autoencoder", *words]) == 0
    capsys.readouterr()
    assert main(["sample", str(run), "--out", str(runs / "x.png")]) == 1
    assert "does not sample" in capsys.readouterr().err
    assert main(["sample", str(run), "--prior", "pca", "--out", str(runs / "x.png")]) == 1
    assert "fitted to the latents of other weights" in capsys.readouterr().err
    assert main(["density", str(run), "--kind", "pca", "--latent-dim", "2", "--overwrite"]) == 0
    assert main(["sample", str(run), "--out", str(runs / "x.png")]) == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("density {runs}/autoencoder", 2, "--kind is missing"),
        ("density {runs}/autoencoder --kind gnm", 2, "kind: unknown 'gnm', did you mean 'gmm'?"),
        ("density {runs}/none --kind pca", 1, "no run here"),
        ("density {runs}/gan --kind pca", 1, "this gan cannot reconstruct, since it has no encoder"),
        ("density {runs}/autoencoder --kind classifier", 2, "kind: a classifier does not sample"),
        ("density {runs}/autoencoder --kind pca --latent-dim 4", 2, "latent_dim: must be from 1 to 3"),
        ("density {runs}/autoencoder --kind pca --name a/b", 2, "name: 'a/b' cannot name a folder"),
        ("density {runs}/autoencoder --kind pca --latent-dimm 4", 2, "--latent-dim"),
        ("sample {runs}/vae --prior x --out {runs}/x.png", 1, "no prior 'x'; fit one: simulacra density"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_line(
    runs: Path, capsys: pytest.CaptureFixture[str], words: str, code: int, message: str
) -> None:
    assert main(words.format(runs=runs).split()) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") <= 2
    assert not (runs / "autoencoder" / "latent").exists()


def test_a_density_is_an_ordinary_run(runs: Path) -> None:
    run = runs / "autoencoder"
    assert main(["density", str(run), "--kind", "vae", "--latent-dim", "2", "--steps", "5"]) == 0
    inner = run / "latent/priors/vae"
    assert yaml.safe_load((inner / "config.yaml").read_text())["model"]["name"] == "vae"
    assert main(["report", str(inner)]) == 0
    assert (inner / "report.html").is_file()


def test_latents_that_are_maps_are_read_as_maps(tmp_path: Path) -> None:
    small = ["--image-size", "16", "--width", "8", "--steps", "2", "--latent-channels", "2", "--factor", "4"]
    run = tmp_path / "run"
    assert main(["train", "autoencoder_kl", "--data", "digits", *small, "--out", str(run)]) == 0
    words = ["--kind", "flow-matching", "--steps", "2", "--width", "4", "--solver-steps", "2"]
    assert main(["density", str(run), *words]) == 0
    model = sim.load(run)
    assert model.latent.shape == (2, 4, 4)
    assert model.prior.model.config.grid == (2, 4, 4)
    assert model.sample(3, seed=0).shape == (3, 1, 16, 16)
    # the same command finds it there
    assert main(["density", str(run), *words]) == 0
