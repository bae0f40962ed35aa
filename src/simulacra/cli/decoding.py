"""The options of how a model of sentences chooses them, for all verbs that show some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulacra.core.model import Model
    from simulacra.run import Run


@dataclass(frozen=True)
class Search:
    """Sentences that are the most probable ones."""

    beam: int | None = None
    """of sentences: prefixes that the search for the most probable one keeps; by default 1, which takes the
    most probable token at each step"""


@dataclass(frozen=True)
class Draws(Search):
    """Sentences that are the most probable ones, or drawn."""

    temperature: float | None = None
    """of sentences, which are then drawn: logits are divided by it; below 1: more probable, less varied"""
    top_p: float | None = None
    """of sentences, which are then drawn: from the fewest tokens that have this share of the probability"""


SEARCH, DRAWS = Search(), Draws()


def set_decoding(model: Model, options: Search, run: Run) -> bool:
    """Have a model choose sentences as options say; whether any of them is given.

    Raises:
        ConfigError: an impossible value.
        RunError: the model writes no sentences.
    """
    from simulacra.core.capabilities import WritesSentences, require
    from simulacra.core.decoding import Decoding
    from simulacra.models.registry import short_name

    given = {name: value for name, value in vars(options).items() if value is not None}
    if given:
        decoding = Decoding(**given)
        name = short_name(run.config.model)
        require(model, WritesSentences, run, name, run.config.source).decoding = decoding
    return bool(given)
