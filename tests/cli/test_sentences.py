"""Sentences as a person at a shell meets them."""

from __future__ import annotations

import json
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
    assert main(["sample", str(run), "-n", "9", "--draw"]) == 0
    assert capsys.readouterr().out.splitlines() == lines[:9]
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
    groups = "elbo,nll,latents,reconstruction,samples,grammatical,walks,memorisation"
    assert main(["evaluate", str(run), "--metrics", groups, "--importance-samples", "2"]) == 0
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line}
    assert {"elbo", "kl", "nll", "perplexity", "active_units", "exact_match", "self_bleu"} <= lines.keys()
    assert lines["lengths"] == [str(int(length)) for length in lines["lengths"]]
    # beside samples and steps stand real sentences
    assert lines["grammatical"][1:] == lines["walk_grammatical"][1:] == ["real", "data", "1.0000"]
    assert "real" in lines["copied"]
    assert main(["train", "vae", "--data", "sentences:400", "--out", str(tmp_path / "vae")]) == 2
    assert "a vae takes no sentences; train a sentence_vae" in capsys.readouterr().err
    assert main(["train", "sentence_vae", "--data", "digits", "--out", str(tmp_path / "digits")]) == 2
    assert "a sentence_vae takes sentences alone; train a vae" in capsys.readouterr().err


def said(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The lines that a command prints."""
    assert main(list(words)) == 0
    return capsys.readouterr().out.splitlines()


def test_how_sentences_are_chosen(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name, few = str(run), ("sample", str(run), "-n", "6")
    greedy = said(capsys, *few)
    # little temperature and a narrow nucleus draw the most probable token
    assert said(capsys, *few, "--temperature", "1e-6") == greedy
    assert said(capsys, *few, "--top-p", "1e-6") == greedy
    drawn = said(capsys, *few, "--temperature", "2")
    assert drawn != greedy
    assert said(capsys, *few, "--temperature", "2") == drawn
    assert said(capsys, *few, "--temperature", "2", "--seed", "1") != drawn
    model = sim.load(name)
    model.decoding = sim.Decoding(beam=4)
    assert said(capsys, *few, "--beam", "4") == model.texts(model.sample(6))
    texts = ["The girls sleep.", "Did a man run?"]
    lines = said(capsys, "reconstruct", name, "--texts", *texts, "--beam", "4")
    assert [lines[0], lines[3]] == texts
    assert [lines[1], lines[4]] == model.texts(model.reconstruct(texts))
    walk = said(capsys, "interpolate", name, "--texts", *texts, "--steps", "3", "--beam", "4")
    assert [walk[0], walk[2]] == [lines[1], lines[4]]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ("sample {run} --top-p 0", 2, "top_p: must be above 0 and at most 1, not 0.0"),
        ("sample {run} --top-p nan", 2, "top_p: must be above 0 and at most 1"),
        ("sample {run} --temperature 0", 2, "temperature: must be above 0, not 0.0"),
        ("sample {run} --beam 0", 2, "beam: must be at least 1, not 0"),
        ("sample {run} --beam 2 --temperature 1", 2, "beam: is for the most probable sentence; leave it out"),
        ("sample {digits} --temperature 1 --out {out}.png", 1, "this pca writes no sentences; omit --beam"),
        ("reconstruct {digits} --beam 2 --out {out}.png", 1, "this pca writes no sentences; omit --beam"),
        ("reconstruct {digits} --texts a --out {out}.png", 1, "trained on images, and takes no texts"),
        ("reconstruct {run} --texts a -n 3", 2, "texts: cannot be combined with --data and -n"),
        ("reconstruct {digits}", 2, "--out is missing; only sentences are printed without it"),
        ("edit {run} --texts a --seeds 1 --direction plural", 2, "inputs: name images or folders"),
        ("edit {run} --texts a --direction plurall", 1, "there is no direction 'plurall'; did you mean"),
        ("edit {run} --texts a --direction plural --out {out}.png", 2, "these examples are sentences"),
        ("edit {run} a.png --direction plural", 1, "was trained on sentences, not on images"),
        ("evaluate {run} --direction plural --classifier x", 2, "classifier: does not apply to sentences"),
        ("evaluate {run} --direction plural --data text:{lines}", 2, "attributes of any sentence are known"),
    ],
)
def test_wrong_options(
    words: str,
    code: int,
    error: str,
    run: Path,
    directed: str,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    digits = tmp_path_factory.getbasetemp() / "digits"
    if not digits.exists():
        sim.train("pca", "digits", digits, latent_dim=2)
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(f"The girls sleep in {i} beds." for i in range(40)))
    places = {"run": run, "digits": digits, "out": tmp_path / "x", "lines": lines}
    assert main(words.format_map(places).split()) == code
    assert error in capsys.readouterr().err


@pytest.fixture(scope="module")
def directed(run: Path) -> str:
    """The run with a direction."""
    words = ["--attribute", "plural", "--examples", "100", "--method", "logistic"]
    assert main(["direction", str(run), *words]) == 0
    return str(run)


def test_edits_of_sentences(directed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit = ("edit", directed, "--direction", "plural", "--strength", "-1,0,1")
    texts = ["The girls sleep.", "Did a man run?"]
    lines = said(capsys, *edit, "--texts", *texts)
    model = sim.load(directed)
    plain = model.texts(model.reconstruct(texts))
    assert lines[0] == texts[0]
    assert [line[:6] for line in lines[1:4]] == ["  -1  ", "   0  ", "  +1  "]
    assert [lines[2][6:], lines[7][6:]] == plain
    assert said(capsys, *edit, "--seeds", "4")[0] == "seed 4"
    assert said(capsys, *edit, "--seeds", "4")[2][6:] == model.texts(model.sample(1, seed=4))[0]
    out = tmp_path / "edits.txt"
    assert said(capsys, *edit, "--data", "sentences:400", "-n", "2", "--out", str(out))[1] == (
        "2 sentences edited at 3 strengths"
    )
    assert len(out.read_text().splitlines()) == 9
    assert said(capsys, "evaluate", directed, "--direction", "plural", "--strength", "-1,1")[0].startswith(
        "direction plural: sentences:400@test, "
    )
    assert main(["evaluate", directed, "--direction", "plural", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["edit"]["others"] == ["past", "negated", "question", "adjective"]
    assert main(["report", directed]) == 0


def test_a_summary_and_a_preview(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.txt"
    lines = [f"Number {i} of many." for i in range(200)]
    file.write_text("\n".join([*lines, lines[0], lines[1].upper(), "word " * 100]))
    found = said(capsys, "data", "check", f"text:{file}")
    assert "note: 1 of 203 sentences have more than 64 tokens and are left out (the longest has 100)" in found
    assert "tokens of a sentence: 0% 5, 5% 5, 25% 5, 50% 5, 75% 5, 95% 5, 100% 5" in found
    assert any(line.startswith("copies: 1 sentences are equal to an earlier one, 1 more") for line in found)
    assert f"  {lines[4]}" in found
    assert main(["data", "check", f"text:{file}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"]["near"] == 1
    shown = said(capsys, "data", "preview", f"text:{file}", "-n", "3")
    assert len(shown) == 3
    assert all(line.startswith("Number ") for line in shown)
    assert said(capsys, "data", "preview", f"text:{file}", "--out", str(tmp_path / "p.txt"))
    assert len((tmp_path / "p.txt").read_text().splitlines()) == 64
    assert main(["data", "preview", "digits"]) == 2
    assert "--out is missing" in capsys.readouterr().err
