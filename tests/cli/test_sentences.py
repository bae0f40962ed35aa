"""Sentences as a person at a shell meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import simulacra as sim
from simulacra.cli.main import main
from simulacra.models.registry import build
from simulacra.models.sentence_vae.card import SentenceVAEConfig


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sentences") / "run"
    settings = ["--steps", "20", "--width", "32", "--latent-dim", "4", "--batch-size", "32"]
    assert main(["train", "sentence_vae", "--data", "sentences:400", "--out", str(folder), *settings]) == 0
    return folder


def test_samples_are_lines(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "samples.txt"
    assert main(["sample", str(run), "-n", "9", "--draw", "--out", str(out)]) == 0
    lines = out.read_text().split("\n")
    assert len(lines) == 10
    assert capsys.readouterr().out.split("\n")[:2] == [str(out), lines[0]]
    assert main(["sample", str(run), "--out", str(tmp_path / "samples.png")]) == 2
    assert "these examples are sentences; give a .txt or a .npz" in capsys.readouterr().err


def test_a_walk_between_sentences(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "walk.txt"
    texts = ["The girls sleep.", "Did a man run?", "The girls sleep."]
    assert main(["interpolate", str(run), "--texts", *texts, "--steps", "3", "--out", str(out)]) == 0
    parts = [part.split("\n") for part in out.read_text().rstrip("\n").split("\n\n")]
    assert [len(part) for part in parts] == [3, 3]
    assert parts[0][0] == parts[1][2]
    assert parts[0][2] == parts[1][0]
    long = ["The girls sleep.", "word " * 100]
    assert main(["interpolate", str(run), "--texts", *long, "--out", str(tmp_path / "b.txt")]) == 1
    assert "texts: sentence 1 has 100 tokens; the most are" in capsys.readouterr().err


def test_pairs_of_sentences_and_reconstructions(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs.txt"
    assert main(["reconstruct", str(run), "-n", "4", "--out", str(out)]) == 0
    assert [len(part.split("\n")) for part in out.read_text().rstrip("\n").split("\n\n")] == [2] * 4


def test_a_vae_starts_from_the_encoder_of_an_autoencoder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"width": 8, "embedding": 8, "latent_dim": 3}
    ae = sim.train("sentence_autoencoder", "sentences:200", tmp_path / "ae", steps=2, **sizes)
    vae = build("sentence_vae", ae.spec, SentenceVAEConfig(**sizes, encoder_from=str(tmp_path / "ae")))
    vae.prepare(sim.load_data("sentences:200").train)
    assert isinstance(vae, sim.SentenceVAE)
    x = ["The girls sleep.", "Did a man run?"]
    torch.testing.assert_close(vae.encode(x).mean, ae.encode(x).mean)
    words = ["train", "sentence_vae", "--data", "sentences:200", "--encoder-from", str(tmp_path / "ae")]
    assert main([*words, "--width", "16", "--out", str(tmp_path / "vae")]) == 2
    assert "its encoder has other nets or latents; give the same settings" in capsys.readouterr().err


def test_numbers_and_models_that_take_no_sentences(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run), "--metrics", "elbo,nll,latents", "--importance-samples", "2"]) == 0
    keys = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line}
    assert {"elbo", "kl", "nll", "active_units"} <= keys
    assert main(["train", "vae", "--data", "sentences:400", "--out", str(tmp_path / "vae")]) == 2
    assert "a vae takes no sentences; train a sentence_vae" in capsys.readouterr().err
    assert main(["train", "sentence_vae", "--data", "digits", "--out", str(tmp_path / "digits")]) == 2
    assert "a sentence_vae takes sentences alone; train a vae" in capsys.readouterr().err
