"""What there is in sentences: lengths, words, copies."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from simulacra.data.spec import SPLITS, Data
from simulacra.data.text.lines import Line
from simulacra.data.text.read import digest
from simulacra.data.text.vocabulary import PADDING, SPECIAL, UNKNOWN, Vocabulary

# quantiles of the lengths, and sentences that are shown
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
FIRST = 5


@dataclass(frozen=True)
class TextSummary:
    """What was found in sentences, as plain data, ready for JSON.

    Attributes:
        sentences: all of them, those that are left out included.
        left_out: sentences that have too many tokens.
        equal: sentences that are equal to an earlier one.
        near: others that differ from an earlier one in case and signs only.
        vocabulary: how many tokens are known, and of what kind.
        lengths: quantile, e.g. `50%`, of the tokens of those that are not left out.
        unknown: share of unknown tokens of each split.
        first: the first sentences.
    """

    sentences: int
    left_out: int
    equal: int
    near: int
    vocabulary: str
    lengths: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, float] = field(default_factory=dict)
    first: tuple[str, ...] = ()


def described(vocabulary: Vocabulary) -> str:
    """How many tokens there are, and of what kind.

    >>> described(Vocabulary.of(["a cat", "a dog"], "words", 10))
    'a vocabulary of 1 word'
    """
    n, kind = len(vocabulary) - len(SPECIAL), vocabulary.kind
    return f"a vocabulary of {n:,} {kind.removesuffix('s') if n == 1 else kind}"


def lengths_of(x: np.ndarray) -> dict[str, int]:
    """Quantiles, e.g. `50%`, of the tokens of sentences `(N, T)`, ends not counted; of none, none."""
    if not len(x):
        return {}
    found = np.quantile((x != PADDING).sum(axis=1) - 1, QUANTILES, method="nearest")
    return {f"{100 * q:.0f}%": int(n) for q, n in zip(QUANTILES, found, strict=True)}


def unknown_share(x: np.ndarray) -> float:
    """The share of unknown tokens among those of sentences `(N, T)`."""
    return float((x == UNKNOWN).sum() / max(1, int((x != PADDING).sum()) - len(x)))


def summarise(lines: Iterable[Line], data: Data) -> TextSummary:
    """The summary of sentences.

    Args:
        lines: all of them, in their order.
        data: the same, encoded.
    """
    vocabulary = data.spec.vocabulary
    assert vocabulary is not None, "as every spec of sentences has"
    exact, alike = array("Q"), array("Q")
    first: list[str] = []
    for line in lines:
        exact.append(int.from_bytes(blake2b(line.text.encode(), digest_size=8).digest(), "little"))
        alike.append(digest(line.text))
        if len(first) < FIRST:
            first.append(line.text)
    kept = {name: data.split(name).x for name in SPLITS if len(data.split(name))}
    different = [len(np.unique(np.frombuffer(each, np.uint64))) for each in (exact, alike)]
    return TextSummary(
        sentences=len(exact),
        left_out=len(exact) - sum(map(len, kept.values())),
        equal=len(exact) - different[0],
        near=different[0] - different[1],
        vocabulary=described(vocabulary),
        lengths=lengths_of(np.concatenate([*kept.values()])) if kept else {},
        unknown={name: unknown_share(x) for name, x in kept.items()},
        first=tuple(first),
    )
