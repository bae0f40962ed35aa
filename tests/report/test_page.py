"""The report, read back: it parses, stands alone, and has the parts that model and data allow."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import simulacra as sim
from simulacra.core.batch import to_float
from simulacra.core.capabilities import BoundsLikelihood
from simulacra.core.noise import Noise
from simulacra.errors import RunError
from simulacra.report.material import Codes, gather
from simulacra.report.page import write_report
from simulacra.run import Run
from tests.pages import Page, standing_alone

from .conftest import save_vectors

ALWAYS = {"numbers", "data", "settings", "reproduce"}


def report(run: Run) -> Page:
    path = write_report(run)
    assert path == run.path / "report.html"
    return standing_alone(path.read_text(encoding="utf-8"))


def test_a_vae_has_everything(vae: Run) -> None:
    page = report(vae)
    assert page.ids == ALWAYS | {
        "curves",
        "samples",
        "nearest",
        "reconstructions",
        "map",
        "map-images",
        "lattice",
        "kl",
    }
    alts = [image["alt"] for image in page.images]
    assert alts[:3] == ["loss by step", "reconstruction by step", "KL by step"]
    assert "64 samples" in alts
    assert page.words.count("original") == 4
    assert "quantile 0.05 to 0.95 of the prior" in page.words
    assert "Not evaluated yet" in page.words
    assert "principal" not in page.words


@pytest.fixture(scope="module")
def words5(vae5: Run) -> str:
    """The text of the report of the run with five latent dimensions."""
    return report(vae5).words


def test_more_dimensions_are_shown_by_their_principal_components(words5: str) -> None:
    assert "two leading principal components of 5 dimensions" in words5
    assert "PC 1 increases to the right" in words5


def test_numbers_come_from_the_last_evaluation(words5: str) -> None:
    assert "Evaluated on digits@test, 157 examples, at step 20." in words5
    for text in (
        "\N{MINUS SIGN}104.1",
        "98.31",
        "with 100 samples of z",
        "of 5",
        "96.1",
        "new score",
        "1.500",
        "<inception>",
    ):
        assert text in words5, text


def test_text_is_escaped_and_commands_are_quoted(words5: str) -> None:
    assert "a <b> & 'c'" in words5
    assert "simulacra train vae --data digits --out '" in words5
    assert "--latent-dim 5 --steps 20 --seed 3 --log-every 5" in words5
    assert "Seed 3; simulacra" in words5


def test_an_autoencoder_draws_no_samples(autoencoder: Run) -> None:
    page = report(autoencoder)
    assert page.ids == ALWAYS | {"curves", "reconstructions", "map", "lattice"}
    assert "simulacra sample" not in page.words
    assert "simulacra reconstruct" in page.words


def test_pca_has_no_curves(pca: Run) -> None:
    page = report(pca)
    assert page.ids == ALWAYS | {
        "samples",
        "nearest",
        "reconstructions",
        "map",
        "map-images",
        "lattice",
        "kl",
    }
    assert "Trained for" not in page.words


def test_vectors_are_scattered(vectors: Run) -> None:
    page = report(vectors)
    assert page.ids == ALWAYS | {"curves", "samples", "map", "kl"}
    assert "The first 2 of 3 columns." in page.words
    assert "samples.npz" in page.words


def test_predictions_of_numbers(mdn: Run, arm: Run) -> None:
    page = report(mdn)
    assert page.ids == ALWAYS | {"curves", "density", "observed", "calibration"}
    assert "on bishop-inverse:2000: vectors of 1 number, 1 number to predict." in page.words
    assert f"simulacra predict {mdn} --data bishop-inverse:2000 --out predictions.csv" in page.words
    assert "simulacra sample" not in page.words
    page = report(arm)
    assert page.ids == ALWAYS | {"curves", "arms", "observed", "calibration"}
    # names of what is predicted, in the table of numbers and in the settings
    assert page.words.count("theta_1") >= 2
    assert "round-trip error of the mean" in page.words
    assert "pit" not in page.words.lower()


def test_predictions_of_classes_and_images(classifier: Run, painter: Run) -> None:
    page = report(classifier)
    assert page.ids == ALWAYS | {"curves", "predictions", "calibration", "confusion", "by-class"}
    assert "calibration error" in page.words
    page = report(painter)
    assert page.ids == ALWAYS | {"curves", "predicted-images", "calibration"}
    assert "4x6 grey images, 8x8 colour images to predict" in page.words
    assert "--out predictions.npz" in page.words


def test_generators(generator: Run, naive: Run) -> None:
    page = report(generator)
    assert page.ids == ALWAYS | {"samples"}
    assert "-n 100000 --seed 0 --out samples.png" in page.words
    assert "Its weights are those of the initialisation, not trained." in page.words
    page = report(naive)
    assert page.ids == ALWAYS | {"curves", "samples", "modes"}
    assert "of 8 modes" in page.words


def test_how_a_game_went(gan: Run) -> None:
    page = report(gan)
    assert page.ids == ALWAYS | {"curves", "samples", "modes", "warnings"}
    drawn = [image["alt"].removesuffix(" by step") for image in page.images]
    assert drawn == [
        "discriminator loss", "output of the discriminator", "norm of the gradient", "generator loss",
        "diversity", "distinct samples", "accuracy of the discriminator", "Fréchet distance",
        "kernel distance", "fidelity and variety", "samples and data",
        "shares of samples and data at every mode",
    ]  # fmt: skip
    assert "Step 30: samples <vary> little. Try more." in page.words
    n = len(gan.data().validation)
    features = "by standardised raw features (resize: none; seed 0)."
    compared = f"compare {n} samples with {n} validation examples {features}"
    assert compared in page.words
    assert "Share of each set that it classifies correctly; an accuracy on held-out" in page.words


def test_shares_of_classes_are_those_of_the_last_evaluation(vae: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(vae.path, tmp_path / "run"))
    made: dict[str, Any] = {
        "data": "digits@test",
        "samples": 50,
        "real": 60,
        "extractor": "classifier",
        "seed": 1,
    }
    # of another number of classes: an extractor that knows others
    run.log("evaluation", **made, class_shares=[0.5, 0.5], class_shares_data=[0.5, 0.5])
    assert "classes" not in report(run).ids
    run.log("evaluation", **made, class_shares=[0.1] * 10, class_shares_data=[0.1] * 10)
    page = report(run)
    assert "classes" in page.ids
    assert (
        "Shares of 50 samples, and of 60 examples of digits@test, that the classifier assigns" in page.words
    )


def test_targets_of_another_shape_are_not_used(tmp_path: Path) -> None:
    source, run = tmp_path / "changed.npz", Run(tmp_path / "run")
    x = np.random.default_rng(0).normal(size=(90, 2))
    np.savez(source, x=x, targets=x[:, :1])
    sim.train("mdn", f"npz:{source}", run.path, components=2, steps=2)
    np.savez(source, x=x, targets=x)
    assert "targets now have shape (2,), not (1,)" in report(run).words
    np.savez(source, x=x)
    assert "targets now are missing, not (1,)" in report(run).words


def test_wide_colour_images_without_labels(tmp_path: Path) -> None:
    source, run = tmp_path / "wide.npz", Run(tmp_path / "run")
    np.savez(source, images=np.random.default_rng(0).integers(0, 256, (90, 8, 24, 3), dtype=np.uint8))
    sim.train("pca", f"npz:{source}", run.path, latent_dim=3)
    page = report(run)
    assert page.ids == ALWAYS | {
        "samples",
        "nearest",
        "reconstructions",
        "map",
        "map-images",
        "lattice",
        "kl",
    }
    assert "8x24 colour images." in page.words
    assert "coloured by class" not in page.words


def test_without_its_data_a_report_is_still_written(tmp_path: Path) -> None:
    source, run = tmp_path / "moved.npz", Run(tmp_path / "run")
    save_vectors(source)
    sim.train("vae", f"npz:{source}", run.path, latent_dim=2, steps=3)
    source.unlink()
    page = report(run)
    assert page.ids == ALWAYS | {"curves", "samples", "missing"}
    assert "there is no file" in page.words


def test_data_of_another_shape_are_not_used(tmp_path: Path) -> None:
    source, run = tmp_path / "changed.npz", Run(tmp_path / "run")
    save_vectors(source)
    sim.train("pca", f"npz:{source}", run.path, latent_dim=1)
    np.savez(source, x=np.ones((40, 5)) * np.arange(40)[:, None])
    page = report(run)
    assert {"missing"} <= page.ids
    assert "now have shape (5,), not (3,)" in page.words


@pytest.mark.parametrize("name", ["vae", "arm", "generator"])
def test_the_same_run_gives_the_same_bytes(name: str, request: pytest.FixtureRequest) -> None:
    run: Run = request.getfixturevalue(name)
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_an_untrained_folder_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run here"):
        write_report(Run(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_kl_by_dimension_adds_up_to_the_kl_of_the_bound(vae5: Run, pca: Run) -> None:
    for run in (vae5, pca):
        material = gather(run)
        assert material.codes is not None
        assert material.held is not None
        assert isinstance(material.model, BoundsLikelihood)
        kl = material.model.elbo(to_float(torch.from_numpy(material.held.x)), Noise(0)).kl.mean()
        assert material.codes.kl().sum() == pytest.approx(float(kl), rel=1e-4)


def test_kl_of_the_prior_is_zero() -> None:
    codes = Codes(torch.zeros(4, 3), torch.ones(4, 3))
    assert codes.kl().tolist() == [0, 0, 0]
    assert codes.variance().tolist() == [0, 0, 0]
