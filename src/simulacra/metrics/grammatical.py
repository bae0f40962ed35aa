"""Which sentences are grammatical, by the parser of the embedded grammar or by `link-parser`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from shutil import which
from typing import TYPE_CHECKING, Any

import numpy as np

from simulacra.core.batch import random_subset
from simulacra.core.capabilities import Samples
from simulacra.data.text import grammar
from simulacra.errors import DataError
from simulacra.metrics.registry import Measurement, Metric, register
from simulacra.metrics.sentences import without_unknown
from simulacra.metrics.standard_errors import share

if TYPE_CHECKING:
    from simulacra.data.spec import Dataset
    from simulacra.metrics.evaluation import Evaluation

# samples, and real sentences, at most
JUDGED = 1000
# share of the real sentences that a grammar of theirs accepts
OWN = 0.99
# Debian's link-grammar: its program, seconds for a sentence and for all, bytes of a sentence that it reads
LINK_PARSER, EACH, ALL, LINE = "link-parser", 5, 600, 1000


@dataclass(frozen=True)
class Judge:
    """Tells whether sentences are grammatical.

    Attributes:
        name: what parses them.
        verdicts: of texts, bool `(N,)`.
        real: the verdicts on real sentences.
    """

    name: str
    verdicts: Callable[[Sequence[str]], np.ndarray]
    real: np.ndarray


def find_judge(dataset: Dataset, seed: int = 0) -> Judge:
    """The grammar `simulacra.data.text.grammar` where it accepts the real sentences, else `link-parser`.

    Args:
        dataset: real sentences; at most 1,000 without unknown words are judged.
        seed: of their choice.

    Raises:
        DataError: there is none; the message says why.
    """
    real = random_subset(without_unknown(dataset), JUDGED, seed)
    if not len(real):
        raise DataError("all real sentences have unknown words")
    found = texts(dataset, real.x)
    accepted = _embedded(found)
    if accepted.mean() >= OWN:
        return Judge("simulacra.data.text.grammar", _embedded, accepted)
    if which(LINK_PARSER) is None:
        raise DataError(
            f"the data are not of the grammar of simulacra, and {LINK_PARSER} is not installed (Debian and"
            " Ubuntu: apt install link-grammar)"
        )
    return Judge(LINK_PARSER, link_parser, link_parser(found))


def texts(dataset: Dataset, x: np.ndarray) -> list[str]:
    """Sentences `(N, T)` as texts."""
    assert dataset.spec.vocabulary is not None, "only sentences are judged"
    return dataset.spec.vocabulary.decode(x)


def _embedded(sentences: Sequence[str]) -> np.ndarray:
    return np.array([grammar.is_grammatical(text) for text in sentences], bool)


def link_parser(sentences: Sequence[str]) -> np.ndarray:
    """Whether link-grammar (Sleator and Temperley 1993) links all words of English sentences; `(N,)`.

    What it does not parse in 5 seconds, and sentences of more than 1,000 bytes, are not grammatical.

    Raises:
        DataError: the program fails, or takes more than 10 minutes.
    """
    # each sentence in a line; a space in front, so that none is a command or a comment
    lines = [" " + " ".join(text.replace("\0", " ").split()) for text in sentences]
    short = np.array([len(line.encode()) <= LINE for line in lines], bool)
    asked = list(dict.fromkeys(line for line, fits in zip(lines, short, strict=True) if fits))
    settings = ("batch=1", "echo=1", "graphics=0", "links=0", "verbosity=0", "panic=0", f"timeout={EACH}")
    words = [LINK_PARSER, "en", *(f"-{setting}" for setting in settings)]
    try:
        done = subprocess.run(
            words,
            input="\n".join([*asked, ""]),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=ALL,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{LINK_PARSER} took more than {ALL // 60} minutes") from None
    except OSError as error:
        raise DataError(f"{LINK_PARSER} cannot be run ({error})") from None
    # it repeats each sentence, and reports an error where it finds no complete linkage
    verdicts: dict[str, bool] = {}
    line = ""
    waiting = iter([*asked, None])
    following = next(waiting)
    for printed in done.stdout.split("\n"):
        if printed == following:
            line, following = printed, next(waiting)
            verdicts[line] = True
        elif line and printed.startswith("+++++ error"):
            verdicts[line] = False
    if len(verdicts) < len(asked):
        raise DataError(f"{LINK_PARSER} ended after {len(verdicts):,} of {len(asked):,} sentences")
    return np.array([verdicts.get(line, False) for line in lines], bool)


def _grammatical(evaluation: Evaluation) -> dict[str, Any]:
    try:
        judge = evaluation.judge
        judged = judge.verdicts(texts(evaluation.dataset, evaluation.samples[:JUDGED]))
    except DataError as error:
        return {"left_out": f"grammatical, since {error}"}
    return {
        **share("grammatical", float(judged.mean()), len(judged)),
        "judged": len(judged),
        "judge": judge.name,
        "real_against_real": {"grammatical": float(judge.real.mean())},
    }


GRAMMATICAL = register(Measurement(
    name="grammatical", needs=(Samples,), kinds=("text",),
    metrics=(
        Metric("grammatical", "grammatical samples", "%", "samples that a parser accepts", "higher",
            " ({judge}; {judged:,} samples)", error="grammatical_error"),
        Metric("grammatical_error", "its standard error", "%", "of grammatical samples"),
    ),
    settings=("judge", "judged"), compute=_grammatical, order=52,
))  # fmt: skip
