"""Grammatical samples, by the parser of the grammar and by a stand-in for link-parser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import simulacra as sim
from simulacra.errors import DataError
from simulacra.metrics.grammatical import link_parser
from tests.metrics.texts import Sampler, Walker, rows, sentence_data

# links every sentence without "bad", as link-parser reports it; commands and comments are no sentences
STAND_IN = """#!/bin/sh
echo "batch set to 1"
while IFS= read -r line; do
  case "$line" in
    "!"*|"%"*|"*"*) continue;;
    " die"*) exit 1;;
  esac
  echo "$line"
  case "$line" in *bad*|*" g"*) echo "+++++ error 1";; esac
done
echo "Bye."
"""


@pytest.fixture
def parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "link-parser"
    path.write_text(STAND_IN)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return path


def test_samples_of_the_grammar_are_parsed_by_it() -> None:
    data = sim.load_data("sentences:400")
    assert data.spec.vocabulary is not None
    wrong = data.test.x.copy()
    # the first two words exchanged
    wrong[:, [0, 1]] = wrong[:, [1, 0]]
    known = (data.test.x != 2).all(axis=1)
    x = np.concatenate([data.test.x[known][:6], wrong[known][:2]])
    model = Sampler(x, data.spec)
    found = sim.evaluate(model, data, metrics=["grammatical"], examples=16)
    assert found["judge"] == "simulacra.data.text.grammar"
    assert found["judged"] == 16
    assert found["grammatical"] == 0.75
    assert found["grammatical_error"] == pytest.approx((0.75 * 0.25 / 16) ** 0.5)
    assert found["real_against_real"] == {"grammatical": 1.0}


def test_other_sentences_need_link_parser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    data = sentence_data([], ["a b", "c d", "e", "f"])
    found = sim.evaluate(Sampler(rows(["a b"])), data, metrics=["grammatical"])
    assert found["left_out"] == (
        "grammatical, since the data are not of the grammar of simulacra, and link-parser is not installed"
        " (Debian and Ubuntu: apt install link-grammar)"
    )
    found = sim.evaluate(Walker(lambda z: "a b"), data, metrics=["walks"])
    assert found["left_out"].startswith("whether steps of walks are grammatical, since the data are not of")
    assert found["walk_largest_step"] == 1
    found = sim.evaluate(Sampler(rows(["a b"])), sentence_data([], ["<odd>"]), metrics=["grammatical"])
    assert found["left_out"] == "grammatical, since all real sentences have unknown words"


def test_link_parser_judges_samples_and_real_sentences(parser: Path) -> None:
    data = sentence_data([], ["a b", "c d", "e", "g"])
    found = sim.evaluate(Sampler(rows(["a b", "b g"])), data, metrics=["grammatical"])
    assert (found["judge"], found["grammatical"]) == ("link-parser", 0.5)
    assert found["real_against_real"] == {"grammatical": 0.75}
    found = sim.evaluate(Walker(lambda z: "g" if 0 < z < 4 else "a"), data, metrics=["walks"])
    assert (found["walks"], found["walk_ends_grammatical"]) == (2, 0.75)


def test_each_verdict_belongs_to_its_sentence(parser: Path) -> None:
    asked = ["a bad one", "a one", "!file secrets", "a bad one", "% a", "line\nof two\0", "x" * 2000, "*bad"]
    expected = [False, True, True, False, True, True, False, False]
    assert link_parser(asked).tolist() == expected
    assert link_parser([]).tolist() == []
    with pytest.raises(DataError, match="link-parser ended after 1 of 3 sentences"):
        link_parser(["a", "die", "b"])
    parser.write_text("#!/no/such/program\n")
    with pytest.raises(DataError, match="link-parser cannot be run"):
        link_parser(["a"])
