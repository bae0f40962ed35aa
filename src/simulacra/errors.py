"""Errors meant for people: the command line prints their text as it stands and exits 1."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# letters of words that are compared
COMPARED = 100
# of so many classes at most a message lists all
LISTED_CLASSES = 20


class SimulacraError(Exception):
    """The input or the run is at fault. The message says what, where, and what to do."""


class DataError(SimulacraError):
    """A data source that is missing, empty, or holds files that cannot be used."""


class ConfigError(SimulacraError):
    """An unknown or impossible setting."""


class RunError(SimulacraError):
    """A run folder that is missing, busy, damaged, or belongs to other settings."""


class LimitError(SimulacraError):
    """An input larger than what is read, or a request larger than the memory."""


class DivergedError(SimulacraError):
    """A loss became NaN or infinite."""


def close_match(word: str, valid: Iterable[str]) -> str | None:
    """The valid word that is most like an unknown one; None if none is.

    >>> close_match("VEA", ["vae", "pca"]), close_match("unicorn", ["vae", "pca"])
    ('vae', None)
    """
    # the time grows with the square of the length
    folded = {one.casefold()[:COMPARED]: one for one in valid}
    close = get_close_matches(word.casefold()[:COMPARED], folded, n=1)
    return folded[close[0]] if close else None


def nearest(word: str, valid: Iterable[str]) -> str:
    """End an error about an unknown `word`: the nearest valid one, or all of them.

    >>> nearest("vea", ["vae", "pca"]), nearest("VAE", ["vae", "pca"])
    ("did you mean 'vae'?", "did you mean 'vae'?")
    >>> nearest("unicorn", ["vae", "pca"])
    'choose from pca, vae'
    """
    valid = sorted(valid)
    close = close_match(word, valid)
    return f"did you mean '{close}'?" if close is not None else f"choose from {', '.join(valid)}"


def nearest_class(word: str, classes: Sequence[str]) -> str:
    """End an error about an unknown class as `nearest`; numbers that look alike mean nothing to each other.

    >>> nearest_class("12", ["1", "2"]), nearest_class("dogg", ["cat", "dog"])
    ('choose from 1, 2', "did you mean 'dog'?")
    """
    numbered = word.isdecimal() and len(classes) <= LISTED_CLASSES
    return f"choose from {', '.join(classes)}" if numbered else nearest(word, classes)


# U+200C and U+200D: zero-width, but part of words
JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    """Text from a file for a message: characters that a terminal cannot show become `?`.

    Those that join the letters of some scripts, and the parts of an emoji, stay.
    """
    return "".join(letter if letter.isprintable() or letter in JOINERS else "?" for letter in text)


def abridge(text: str, most: int = 60) -> str:
    """Text from a file for a cell of a table: of more than `most` characters, the first and the last.

    >>> abridge("a rather long sentence", 15)
    'a rath...ntence'
    """
    return text if len(text) <= most else f"{text[: (most - 2) // 2]}...{text[len(text) - (most - 3) // 2 :]}"


def shorten(text: str, most: int = 40) -> str:
    """Text from a file for a message, at most `most` characters.

    >>> shorten("a rather long sentence", 10)
    'a rathe...'
    """
    return text if len(text) <= most else text[: most - 3] + "..."
