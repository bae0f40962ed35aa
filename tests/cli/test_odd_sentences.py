"""Odd files of sentences at a shell: each is handled, or refused in a line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from simulacra import limits
from simulacra.cli.main import main
from simulacra.data.text import grammar

FEW = ["--steps", "2", "--width", "8", "--embedding", "8", "--latent-dim", "2", "--batch-size", "16"]
GRAMMAR = "\n".join(grammar.sample(200, seed=5)) + "\n"
EMOJI = "\n".join(f"\U0001f600 number {i} \U0001f468\u200d\U0001f469\u200d\U0001f467!" for i in range(60))
HEBREW = "\n".join(f"\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd {i % 7}." for i in range(60))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n\n  \n" + GRAMMAR.replace("\n", "\n\n"), ""),
        (
            GRAMMAR + "word " * 10_000 + "\n",
            "1 of 201 sentences have more than 64 tokens",
        ),
        (EMOJI, ""),
        (HEBREW, ""),
        ("yes\nyes no\nno\nno no\n" * 30, ""),
        ("word\n" * 50, ""),
        ("One sentence only.\n", ""),
        (b"\xef\xbb\xbf" + GRAMMAR.replace("\n", "\r\n").encode(), ""),
        (GRAMMAR.replace(" ", "\t"), ""),
    ],
    ids=[
        "empty lines",
        "10,000 words",
        "emoji",
        "right to left",
        "two words",
        "one word",
        "one sentence",
        "windows",
        "tabs",
    ],
)
def test_what_can_be_trained_on(
    text: str | bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, run = tmp_path / "a.txt", str(tmp_path / "run")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["data", "check", f"text:{file}"]) == 0
    assert said in capsys.readouterr().out
    assert main(["train", "sentence_vae", "--data", f"text:{file}", *FEW, "--out", run]) == 0
    assert main(["sample", run, "-n", "3", "--temperature", "0.8"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines[-3:]) == 3
    assert all(lines[-3:])


@pytest.mark.parametrize(
    ("name", "raw", "said"),
    [
        ("a.txt", b"", "there are no sentences"),
        ("a.txt", b"\n\r\n \t\n", "there are no sentences"),
        ("a.txt", b"The only sentence.\n", "1 sentence is too few to train on"),
        (
            "a.txt",
            "na\u00efve\n".encode("latin-1") * 50,
            "is not UTF-8 text (see line 1); save it",
        ),
        ("a.txt", GRAMMAR.encode("utf-16"), "a zero byte in line 1"),
        ("a.txt", b"fine\nnot\0fine\n", "a zero byte in line 2"),
        ("a.gz", b"no gzip", "cannot be read"),
        ("a.gz", gzip.compress(GRAMMAR.encode())[:200], "cannot be read"),
        ("a.txt", b"word " * 10_000, "no sentence of 1 has at most 64 tokens; choose a larger --max-tokens"),
        ("a.csv", b"kind,caption\nx,A cat.\n", "which column has the sentences? Give --column, e.g. kind"),
        ("a.pdf", b"%PDF", "give a .txt, .gz or .csv file"),
        ("folder/a.png", b"", "the folder has no .txt or .gz files"),
    ],
)
def test_what_cannot(
    name: str, raw: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(raw)
    source = f"text:{file.parent if '/' in name else file}"
    assert main(["train", "sentence_vae", "--data", source, *FEW, "--out", str(tmp_path / "run")]) in (1, 2)
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_column_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("kind,caption\nx,A cat.\n")
    source = f"text:{tmp_path / 'a.csv'}"
    assert main(["train", "sentence_vae", "--data", source, "--column", "captions"]) == 1
    assert "there is no column 'captions', did you mean 'caption'?" in capsys.readouterr().err


def test_sentences_that_do_not_fit_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text(GRAMMAR)
    monkeypatch.setattr(limits, "available_memory", lambda: 10_000)
    assert main(["data", "check", f"text:{tmp_path / 'a.txt'}"]) == 1
    error = capsys.readouterr().err
    assert "200 sentences of up to" in error
    assert "take fewer, or a smaller --max-tokens" in error


def test_byte_pairs_know_every_sign(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, run = tmp_path / "a.txt", str(tmp_path / "run")
    file.write_text(EMOJI + "\n" + HEBREW)
    pairs = ["--tokens", "pairs", "--vocabulary-size", "280", "--max-tokens", "80"]
    assert main(["data", "check", f"text:{file}", *pairs]) == 0
    said = capsys.readouterr().out
    assert "a vocabulary of 277 pairs; unknown: 0.00% of train" in said
    assert main(["train", "sentence_autoencoder", "--data", f"text:{file}", *pairs, *FEW, "--out", run]) == 0
    capsys.readouterr()
    new = "na\u00efve \U0001f98a \u05d0"
    assert main(["reconstruct", run, "--texts", new]) == 0
    # what it makes of the sentence after two steps may be no text; the sentence itself comes back
    assert capsys.readouterr().out.splitlines()[0] == new
    assert main(["report", run]) == 0


def test_byte_pairs_need_all_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text(HEBREW)
    words = ["--tokens", "pairs", "--vocabulary-size", "100"]
    assert main(["data", "check", f"text:{tmp_path / 'a.txt'}", *words]) == 2
    assert "pairs start from all bytes; choose at least 259" in capsys.readouterr().err
