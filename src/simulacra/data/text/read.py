"""Sentences as a data set: split by content, encoded by a vocabulary of the training sentences."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import compress

import numpy as np

from simulacra import limits
from simulacra.data.spec import Data, Dataset, DataSpec, Options, Truth, encode_labels
from simulacra.data.splits import HELD_OUT, TEST, TRAIN, VALIDATION, places
from simulacra.data.text.lines import Line
from simulacra.data.text.vocabulary import END, Vocabulary
from simulacra.errors import DataError, LimitError

# sentences between two looks at the memory
CHECKED = 2**18


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
        attributes: of a sentence, by name; a DataError of one that has none.
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
    own = spec is not None and spec.vocabulary is not None
    most = spec.shape[0] if own and spec is not None else options.max_tokens + 1
    flat, lengths, values = array("i"), array("i"), array("f")
    labels: list[str] = []
    columns: tuple[str, ...] = ()
    widest = 1
    for line in lines:
        numbers = vocabulary.numbers(line.text)
        lengths.append(len(numbers) + 1)
        if lengths[-1] > most:
            continue
        widest = max(widest, lengths[-1])
        flat.extend(numbers)
        flat.append(END)
        if line.label is not None:
            labels.append(line.label)
        if attributes is not None:
            of_line = attributes(line.text)
            columns = tuple(of_line)
            values.extend(of_line.values())
        if len(lengths) % CHECKED == 0:
            _check_memory(source, len(place), widest)
    if len(lengths) != len(place):
        raise DataError(f"{source}: was changed while it was read; read it again")
    n = np.frombuffer(lengths, np.intc)
    kept = n <= most
    width = most if own else widest
    x = _padded(source, flat, n[kept], width)
    names, y = encode_labels(labels) if labels and len(labels) == len(x) else ((), None)
    table = np.frombuffer(values, np.float32).reshape(len(x), -1) if columns else None
    found = DataSpec("text", (width,), names, columns, vocabulary=vocabulary)
    everything = Dataset(found, x, y, table, rows=np.flatnonzero(kept))
    train, validation, test = (everything.take(np.flatnonzero(place[kept] == k)) for k in range(3))
    if not len(train) and options.split != "none":
        raise DataError(f"{source}: {_none_left(len(everything), len(n), most - 1)}")
    long = int((~kept).sum())
    notes = (
        f"{long:,} of {len(n):,} sentences have more than {most - 1} tokens and are left out (the longest has"
        f" {n.max(initial=1) - 1:,})",
    )
    facts = Truth(
        log_density=truth and (lambda x: np.array([truth(text) for text in vocabulary.decode(x)])),
        attributes=attributes and (lambda x: _attributes(attributes, columns, vocabulary.decode(x))),
    )
    return Data(source, train, validation, test, facts, notes=notes if long else ())


def _attributes(
    of: Callable[[str], dict[str, float]], names: tuple[str, ...], texts: Sequence[str]
) -> np.ndarray:
    """The attributes of each sentence, float64 `(N, A)`; NaN for those that have none."""
    table = np.full((len(texts), len(names)), np.nan)
    for row, text in zip(table, texts, strict=True):
        with suppress(DataError):
            row[:] = list(of(text).values())
    return table


def digest(text: str) -> int:
    """A number from 0 to 2^64 - 1 that sentences have in common which differ only in case and signs.

    >>> digest("A cat sat.") == digest("a cat, sat!"), digest("A cat sat.") == digest("A cat ran.")
    (True, False)
    """
    words = " ".join(re.findall(r"\w+", text.casefold())) or text
    return int.from_bytes(blake2b(words.encode(), digest_size=8).digest(), "little")


def _places(source: str, lines: Iterable[Line], options: Options) -> np.ndarray:
    """The position in `SPLITS` of each sentence: by the names of the files, or by its words."""
    digests, named = array("Q"), array("b")
    for line in lines:
        digests.append(digest(line.text))
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


def _padded(source: str, flat: array[int], n: np.ndarray, width: int) -> np.ndarray:
    """Rows `(N, width)` int32 of the numbers of sentences of n tokens that stand one after the other."""
    _check_memory(source, len(n), width)
    x = np.zeros((len(n), width), np.int32)
    x[np.arange(width) < n[:, None]] = np.frombuffer(flat, np.intc)
    return x


def _check_memory(source: str, sentences: int, width: int) -> None:
    """Raises DataError where sentences of so many tokens, and the same in splits, do not fit in memory."""
    try:
        limits.check_memory(2 * 4 * sentences * width, f"{sentences:,} sentences of up to {width - 1} tokens",
                            "take fewer, or a smaller --max-tokens")  # fmt: skip
    except LimitError as error:
        raise DataError(f"{source}: {error}") from None


def _none_left(kept: int, read: int, most: int) -> str:
    """Why there is no training sentence, and what to do."""
    if not kept:
        return f"no sentence of {read:,} has at most {most} tokens; choose a larger --max-tokens"
    what = "1 sentence is" if kept == 1 else f"{kept:,} sentences, equal ones counted, are"
    return f"{what} too few to train on; add more"
