"""Sentences as a data set: split by content, encoded by a vocabulary of the training sentences."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable
from hashlib import blake2b
from itertools import compress

import numpy as np

from simulacra import limits
from simulacra.data.spec import Data, Dataset, DataSpec, Options, Truth, encode_labels
from simulacra.data.splits import HELD_OUT, TEST, TRAIN, VALIDATION, places
from simulacra.data.text.lines import Line
from simulacra.data.text.vocabulary import END, Vocabulary
from simulacra.errors import DataError, LimitError


def read(
    source: str,
    lines: Iterable[Line],
    options: Options,
    spec: DataSpec | None = None,
    attributes: Callable[[str], dict[str, float]] | None = None,
    truth: Callable[[str], float] | None = None,
) -> Data:
    """Encode sentences and split them.

    Sentences that differ only in case and signs share a split. A vocabulary is made from the training
    sentences. Sentences of more than `Options.max_tokens` tokens are left out, and a note says how many.

    Args:
        source: as the user wrote it.
        lines: may be looped over several times.
        options: `tokens`, `vocabulary_size`, `max_tokens` and `split`.
        spec: of a run, whose vocabulary and longest sentence are taken.
        attributes: of a sentence, by name.
        truth: the natural logarithm of the probability of a sentence.

    Raises:
        DataError: there are too few sentences, or they do not fit in memory.
    """
    place = _places(source, lines, options)
    vocabulary = spec.vocabulary if spec is not None else None
    if vocabulary is None:
        chosen = place == (TEST if options.split == "none" else TRAIN)
        texts = (line.text for line in compress(lines, chosen))
        vocabulary = Vocabulary.of(texts, options.tokens, options.vocabulary_size)
    flat, lengths = array("i"), array("i")
    labels: list[str | None] = []
    values: list[dict[str, float]] = []
    for line in lines:
        numbers = vocabulary.numbers(line.text)
        lengths.append(len(numbers) + 1)
        flat.extend(numbers)
        flat.append(END)
        labels.append(line.label)
        if attributes is not None:
            values.append(attributes(line.text))
    n = np.frombuffer(lengths, np.intc)
    own = spec is not None and spec.vocabulary is not None
    most = spec.shape[0] if own and spec is not None else options.max_tokens + 1
    kept = n <= most
    width = most if own else int(n[kept].max(initial=1))
    x = _padded(source, np.frombuffer(flat, np.intc), n, kept, width)
    names: tuple[str, ...] = ()
    y = None
    known = [label for label in labels if label is not None]
    if len(known) == len(labels):
        names, y = encode_labels(known)
        y = y[kept]
    columns = tuple(values[0]) if values else ()
    table = np.array([list(one.values()) for one in values], np.float32)[kept] if values else None
    found = DataSpec("text", (width,), names, columns, vocabulary=vocabulary)
    everything = Dataset(found, x, y, table, rows=np.flatnonzero(kept))
    train, validation, test = (everything.take(np.flatnonzero(place[kept] == k)) for k in range(3))
    if not len(train) and options.split != "none":
        raise DataError(f"{source}: {len(everything):,} sentences are too few to train on")
    long = int((~kept).sum())
    notes = (f"{long:,} of {len(n):,} sentences have more than {most - 1} tokens and are left out",)

    def log_probability(x: np.ndarray) -> np.ndarray:
        assert truth is not None
        assert vocabulary is not None
        return np.array([truth(text) for text in vocabulary.decode(x)])

    facts = Truth() if truth is None else Truth(log_density=log_probability)
    return Data(source, train, validation, test, facts, notes=notes if long else ())


def _places(source: str, lines: Iterable[Line], options: Options) -> np.ndarray:
    """The position in `SPLITS` of each sentence: by the names of the files, or by its words."""
    digests, named = array("Q"), array("b")
    for line in lines:
        words = " ".join(re.findall(r"\w+", line.text.casefold())) or line.text
        digest = blake2b(words.encode(), digest_size=8).digest()
        digests.append(int.from_bytes(digest, "little"))
        named.append(-1 if line.split is None else line.split)
    if not digests:
        raise DataError(f"{source}: there are no sentences")
    shares = np.frombuffer(digests, np.uint64) / 2.0**64
    splits = np.frombuffer(named, np.int8).astype(np.int64)
    if options.split == "none" or (splits < 0).any():
        return places(shares, options)
    if VALIDATION not in splits:
        splits[(splits == TRAIN) & (shares >= HELD_OUT)] = VALIDATION
    return splits


def _padded(source: str, flat: np.ndarray, n: np.ndarray, kept: np.ndarray, width: int) -> np.ndarray:
    """Rows `(N, width)` int32 of the numbers of sentences that stand one after the other."""
    try:
        limits.check_memory(2 * 4 * int(kept.sum()) * width, f"{int(kept.sum()):,} sentences",
                            "take fewer, or a smaller --max-tokens")  # fmt: skip
    except LimitError as error:
        raise DataError(f"{source}: {error}") from None
    x = np.zeros((int(kept.sum()), width), np.int32)
    mask = np.arange(width) < n[kept, None]
    x[mask] = flat[np.repeat(kept, n)]
    return x
