from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra import limits
from simulacra.data.spec import Options
from simulacra.data.text import grammar
from simulacra.data.text.lines import Lines
from simulacra.data.text.vocabulary import _counted
from simulacra.errors import DataError

LINES = [f"Sentence number {i} of many." for i in range(300)]


def written(path: Path, text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return f"text:{path}"


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
def test_each_line_is_a_sentence(name: str, tmp_path: Path) -> None:
    source = written(tmp_path / name, "\n".join(["", *LINES, "  "]) + "\n")
    data = sim.load_data(source)
    assert data.spec.vocabulary is not None
    texts = [
        t for part in (data.train, data.validation, data.test) for t in data.spec.vocabulary.decode(part.x)
    ]
    assert len(texts) == 300
    assert all(text.startswith("Sentence number") and text.endswith("of many.") for text in texts)
    assert data.spec.shape == (7,)


def test_sentences_alike_but_for_case_and_signs_share_a_split(tmp_path: Path) -> None:
    pairs = [line for one in LINES for line in (one, one.upper().replace(".", "!"))]
    data = sim.load_data(written(tmp_path / "a.txt", "\n".join(pairs)))
    for part in (data.train, data.validation, data.test):
        assert part.rows is not None
        assert set(part.rows // 2 * 2) | set(part.rows // 2 * 2 + 1) == set(part.rows)


def test_the_vocabulary_is_of_training_sentences_and_that_of_a_run_is_kept(tmp_path: Path) -> None:
    data = sim.load_data(written(tmp_path / "a.txt", "\n".join(LINES * 2)))
    assert data.spec.vocabulary is not None
    trained = set(" ".join(data.spec.vocabulary.decode(data.train.x)).replace(".", "").split())
    assert {token.strip("\u2581") for token in data.spec.vocabulary.tokens[3:]} - {"."} <= trained
    model = sim.train("sentence_autoencoder", data, steps=1, width=8, batch_size=8)
    other = written(
        tmp_path / "b.txt", "Sentence of many.\nmany words that are new to this model, and more of them"
    )
    found = sim.evaluate(model, other, metrics=["latents"])
    assert found["examples"] == 1


def test_long_sentences_are_left_out_and_counted(tmp_path: Path) -> None:
    source = written(tmp_path / "a.txt", "\n".join([*LINES, "word " * 10_000]))
    data = sim.load_data(source, max_tokens=20)
    assert data.notes == (
        "1 of 301 sentences have more than 20 tokens and are left out (the longest has 10,000)",
    )


def test_files_of_a_folder_are_splits_or_classes(tmp_path: Path) -> None:
    for name, lines in (("a_train", LINES), ("a_test", LINES[:7])):
        written(tmp_path / f"{name}.txt", "\n".join(lines))
    data = sim.load_data(f"text:{tmp_path}")
    assert len(data.test) == 7
    assert len(data.train) + len(data.validation) == 300
    assert len(data.validation) > 0
    (tmp_path / "a_train.txt").rename(tmp_path / "good.txt")
    (tmp_path / "a_test.txt").rename(tmp_path / "bad.txt")
    data = sim.load_data(f"text:{tmp_path}")
    assert data.spec.classes == ("bad", "good")
    assert sum(part.class_counts[0] for part in (data.train, data.validation, data.test)) == 7


def test_a_column_of_a_table(tmp_path: Path) -> None:
    rows = "\n".join(f'{"x" if i % 2 else "y"},"{line}"' for i, line in enumerate(LINES))
    (tmp_path / "a.csv").write_text("kind,text\n" + rows)
    data = sim.load_data(f"text:{tmp_path / 'a.csv'}", column="text", target="kind")
    assert data.spec.classes == ("x", "y")
    with pytest.raises(DataError, match="which column has the sentences"):
        sim.load_data(f"text:{tmp_path / 'a.csv'}")
    with pytest.raises(DataError, match="there is no column 'txt'"):
        sim.load_data(f"text:{tmp_path / 'a.csv'}", column="txt")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "there are no sentences"),
        (b"\n \n", "there are no sentences"),
        (b"good\nb\0d\n", "a zero byte in line 2"),
        ("gut\nsch\u00f6n\n".encode("latin-1"), "is not UTF-8 text .see line 2"),
    ],
)
def test_what_is_no_text_is_refused(raw: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        sim.load_data(written(tmp_path / "a.txt", raw))


def test_the_grammar_knows_its_sentences() -> None:
    data = sim.load_data("sentences:300")
    assert data.spec.vocabulary is not None
    assert data.train.attributes is not None
    assert data.truth.log_density is not None
    texts = data.spec.vocabulary.decode(data.train.x[:20])
    exact = [grammar.log_probability(text) for text in texts]
    assert data.truth.log_density(data.train.x[:20]).tolist() == exact
    assert data.train.attributes[0].tolist() == list(grammar.attributes(texts[0]).values())
    assert Options().max_tokens == 64
    assert np.isfinite(exact).any()


def test_a_line_beyond_the_limit_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TEXT_LINE", 60)
    # the limit is inside of a character of two bytes; the rest is no sentence of its own
    file = tmp_path / "a.txt"
    file.write_text("x" + "\u00e9" * 100 + " and a short end\nA short line.\n")
    first, second = Lines("text", str(file))
    assert first.text == "x" + "\u00e9" * 29
    assert second.text == "A short line."


def test_memory_does_not_grow_with_the_words_of_a_file() -> None:
    def peak(lines: int) -> int:
        """Bytes that a vocabulary of so many lines of new words takes at most, beside those of a line."""
        texts = (f"a{i} b{i} c{i}" for i in range(lines))
        tracemalloc.start()
        assert len(_counted(texts, 1000)) <= 1000
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(20_000) < 1.5 * peak(2_000)


def test_frequent_words_are_counted_exactly_enough() -> None:
    texts = [f"often new{i}" for i in range(5000)]
    counts = _counted(texts, 1000)
    assert 4980 <= counts["\u2581often"] <= 5000
    assert "y" * 101 not in _counted(["y" * 101], 10)
