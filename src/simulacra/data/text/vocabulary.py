"""Vocabularies: a sentence as the numbers of its tokens, words or pieces of words, and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from simulacra.errors import ConfigError
from simulacra.limits import PAIRED_SENTENCES, WORD_LETTERS, WORDS

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# numbers that stand for no token: after the end, the end (and the start, of a decoder), any unknown token
PADDING, END, UNKNOWN = range(3)
SPECIAL = ("<padding>", "<end>", "<unknown>")
# the space before a word is part of its token, written so
SPACE = "\u2581"
# a word with its apostrophes and hyphens, or any other character, with the space before it
_TOKEN = re.compile(rf"{SPACE}?(?:\w+(?:['\u2019-]\w+)*|[^\w{SPACE}])")


@dataclass(frozen=True, repr=False)
class Vocabulary:
    """The tokens of a set of sentences, numbered from 0; the first three are `SPECIAL`.

    Attributes:
        kind: `words`, and signs between them; or `pairs`: what byte-pair encoding makes of frequent
            neighbours, from single bytes up (Sennrich et al. 2016, arXiv:1508.07909).
        entries: separated by spaces: the words; or the pairs that were merged, in their order.

    >>> vocabulary = Vocabulary.of(["The cat sat.", "A cat sat.", "The cat ran."] * 2, "words", 9)
    >>> x = vocabulary.encode(["The cat sat.", "A dog sat."], 6)
    >>> vocabulary.decode(x)
    ['The cat sat.', 'A <unknown> sat.']
    """

    kind: Literal["words", "pairs"] = "words"
    entries: str = ""

    @classmethod
    def of(cls, texts: Iterable[str], kind: Literal["words", "pairs"], size: int) -> Vocabulary:
        """The vocabulary of the most frequent tokens of sentences, of at most `size` numbers.

        Words that occur once are left out where others occur more often: a model learns from them what to do
        with unknown ones.

        Raises:
            ConfigError: `pairs` without the library `tokenizers`, or with a size below that of all bytes.
        """
        if kind == "words":
            counts = _counted(texts, max(WORDS, 4 * size))
            least = 2 if max(counts.values(), default=0) > 1 else 1
            # ties in the order of the alphabet, whatever the order of the sentences
            ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            return cls(kind, " ".join([word for word, n in ordered if n >= least][: size - len(SPECIAL)]))
        tokenizers = _library()
        alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
        if size < len(SPECIAL) + len(alphabet):
            least = len(SPECIAL) + len(alphabet)
            raise ConfigError(f"vocabulary_size: pairs start from all bytes; choose at least {least}")
        trained = _byte_pairs([], [])
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=size - len(SPECIAL), initial_alphabet=alphabet, show_progress=False
        )
        trained.train_from_iterator(islice(texts, PAIRED_SENTENCES), trainer)
        import json

        merges = json.loads(trained.to_str())["model"]["merges"]
        return cls(kind, " ".join(part for pair in merges for part in pair))

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} {self.kind})"

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Each token as text, by its number; a space is written as `SPACE`."""
        if self.kind == "words":
            return (*SPECIAL, *self.entries.split())
        numbered = self._byte_pairs.get_vocab()
        return (*SPECIAL, *sorted(numbered, key=numbered.__getitem__))

    def numbers(self, text: str) -> list[int]:
        """The numbers of the tokens of a sentence, without its end."""
        if self.kind == "words":
            return [self._index.get(token, UNKNOWN) for token in _words(text)]
        return [len(SPECIAL) + i for i in self._byte_pairs.encode(_plain(text)).ids]

    def encode(self, texts: Sequence[str], length: int, cut: bool = False) -> np.ndarray:
        """Sentences as int32 `(N, length)`: tokens, `END`, and `PADDING` to the full length.

        Args:
            texts: N of them.
            length: of a row.
            cut: whether sentences of more than `length` - 1 tokens are cut, or refused.

        Raises:
            ValueError: a sentence has more tokens; which, and how many.
        """
        x = np.zeros((len(texts), length), np.int32)
        for i, text in enumerate(texts):
            row = [*self.numbers(text), END]
            if cut and len(row) > length:
                row = [*row[: length - 1], END]
            if len(row) > length:
                raise ValueError(f"sentence {i} has {len(row) - 1:,} tokens; the most are {length - 1:,}")
            x[i, : len(row)] = row
        return x

    def decode(self, x: np.ndarray) -> list[str]:
        """The sentences of rows of numbers `(N, T)`, each up to its first end."""
        ended = np.concatenate([x, np.full((len(x), 1), END, x.dtype)], axis=1) <= END
        return [self.text(row[:n].tolist()) for row, n in zip(x, ended.argmax(axis=1), strict=True)]

    def text(self, numbers: Sequence[int]) -> str:
        """The sentence of some tokens, `<unknown>` for unknown ones."""
        if self.kind == "pairs":
            known = [i - len(SPECIAL) for i in numbers if i >= len(SPECIAL)]
            return str(self._byte_pairs.decode(known)).strip()
        words = [SPACE + SPECIAL[UNKNOWN] if i == UNKNOWN else self.tokens[i] for i in numbers]
        return "".join(words).replace(SPACE, " ").strip()

    @cached_property
    def _index(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}

    @cached_property
    def _byte_pairs(self) -> Any:
        parts = self.entries.split()
        pairs = list(zip(parts[::2], parts[1::2], strict=True))
        alphabet = sorted(_library().pre_tokenizers.ByteLevel.alphabet())
        return _byte_pairs([*alphabet, *(a + b for a, b in pairs)], pairs)


def _plain(text: str) -> str:
    """The text with single spaces, none at its ends."""
    return " ".join(text.split())


def _words(text: str) -> list[str]:
    return _TOKEN.findall(SPACE + _plain(text).replace(SPACE, "_").replace(" ", SPACE))


def _counted(texts: Iterable[str], most: int) -> Counter[str]:
    """How often each word occurs; of more than `most` different ones the rarest are forgotten on the way.

    Lossy counting (Manku and Motwani 2002, Approximate frequency counts over data streams).
    """
    counts: Counter[str] = Counter()
    rare = 0
    for text in texts:
        words = _words(text)
        if len(text) > WORD_LETTERS:
            words = [word for word in words if len(word) <= WORD_LETTERS]
        counts.update(words)
        if len(counts) > most:
            while len(counts) > most // 2:
                rare += 1
                counts = Counter({word: n for word, n in counts.items() if n > rare})
    return counts


def _byte_pairs(tokens: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Tokenizer:
    tokenizers = _library()
    numbered = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    model = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=numbered, merges=list(pairs)))
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    model.decoder = tokenizers.decoders.ByteLevel()
    return model


def _library() -> Any:
    """Raises ConfigError without the library `tokenizers`."""
    try:
        import tokenizers
        import tokenizers.decoders
        import tokenizers.models
        import tokenizers.pre_tokenizers
        import tokenizers.trainers
    except ImportError:
        raise ConfigError("tokens: pairs need 'pip install simulacra[text]'; or choose words") from None
    return tokenizers
