"""Scores and warnings while a model trains, as a person asks for them and reads of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from simulacra.cli.main import main
from simulacra.data import load

GAN = [
    "train", "gan", "--data", "gaussians-8:2000", "--hidden", "16", "--batch-size", "64", "--log-every", "5",
    "--schedule", "constant",
]  # fmt: skip


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def test_scores_come_when_asked_for_and_change_no_weight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, scored, halves = (tmp_path / name for name in ("plain", "scored", "halves"))
    assert main([*GAN, "--steps", "25", "--out", str(plain)]) == 0
    assert events(plain, "scores") == []
    capsys.readouterr()
    assert main([*GAN, "--steps", "25", "--evaluate-every", "10", "--out", str(scored)]) == 0
    said = capsys.readouterr().err
    found = events(scored, "scores")
    assert [event["step"] for event in found] == [10, 20, 25]
    n = len(load("gaussians-8:2000").validation)
    circumstances = {"extractor": "standardised raw", "resize": "none", "seed": 0, "samples": n, "real": n}
    assert found[0].items() >= circumstances.items()
    assert {"fid", "kid", "kid_error", "precision", "recall", "density", "coverage"} <= set(found[0])
    assert f"step 20/25  fid {found[1]['fid']:.4g}  kid" in said
    assert (plain / "model.safetensors").read_bytes() == (scored / "model.safetensors").read_bytes()
    # a training that goes on may be asked for other scores, and gives the same ones
    assert main([*GAN, "--steps", "10", "--out", str(halves)]) == 0
    assert main([*GAN, "--steps", "25", "--evaluate-every", "10", "--out", str(halves)]) == 0
    assert (plain / "model.safetensors").read_bytes() == (halves / "model.safetensors").read_bytes()
    assert events(halves, "scores") == found[1:]


def test_gradients_and_accuracies_of_the_players_are_logged(tmp_path: Path) -> None:
    assert main([*GAN, "--steps", "20", "--out", str(tmp_path / "run")]) == 0
    terms = {"discriminator_gradient", "generator_gradient"}
    assert all(
        terms <= set(event) and event["generator_gradient"] > 0 for event in events(tmp_path / "run", "train")
    )
    (*_, look) = events(tmp_path / "run", "validation")
    assert {"diversity", "real_accuracy", "fake_accuracy", "held_out_accuracy"} <= set(look)
    assert all(0 <= look[f"{of}_accuracy"] <= 1 for of in ("real", "fake", "held_out"))


def test_a_collapse_is_reported_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "naive"
    words = ["train", "naive", "--data", "gaussians-8:2000", "--hidden", "32", "--out", str(run)]
    assert main([*words, "--steps", "700"]) == 0
    (warning,) = events(run, "warning")
    assert warning["cause"] == "collapse"
    assert warning["text"].startswith("samples have collapsed: their distances are 0.0")
    line = f"step {warning['step']}/700  {warning['text']}\n"
    assert capsys.readouterr().err.count(line) == 1
    # nor again when it goes on
    assert main([*words, "--steps", "800"]) == 0
    assert events(run, "warning") == [warning]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("autoencoder --data digits --evaluate-every 5", 2, "autoencoder draws no samples to score"),
        ("vae --data digits --evaluate-every 5 --evaluate-features incepton", 2, "did you mean 'inception'"),
        ("vae --data digits --evaluate-every 0", 2, "evaluate_every: must be above 0"),
        ("vae --data gaussians-8:40 --evaluate-every 5", 1, "too few to score samples against"),
    ],
)
def test_what_cannot_be_scored_is_refused_before_the_first_step(
    tmp_path: Path, words: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", *words.split(), "--steps", "20", "--log-every", "1", "--out", str(run)]) == code
    text = capsys.readouterr().err
    assert said in text
    assert len(text.strip().splitlines()) <= 2
    assert not (run / "metrics.jsonl").exists()


def test_samples_are_scored_by_the_features_of_a_classifier(tmp_path: Path) -> None:
    classifier, run = tmp_path / "classifier", tmp_path / "run"
    assert main(["train", "classifier", "--data", "digits", "--steps", "5", "--out", str(classifier)]) == 0
    words = ["train", "vae", "--data", "digits", "--steps", "10", "--evaluate-every", "10", "--out", str(run)]
    assert main([*words, "--evaluate-features", str(classifier)]) == 0
    (event,) = events(run, "scores")
    assert (event["extractor"], event["features"]) == ("classifier", 128)
    assert len(event["weights"]) == 16
