"""`sentences`: sentences of a small grammar of English, with their attributes and exact probabilities."""

from __future__ import annotations

from simulacra.data.sources import arguments
from simulacra.data.spec import Data, DataSpec, Options
from simulacra.data.text import grammar
from simulacra.data.text.lines import Line
from simulacra.data.text.read import read

# the range of the number of sentences
COUNT = (20_000, 10, 2_000_000)


def load(name: str, argument: str, options: Options, spec: DataSpec | None = None) -> Data:
    """N sentences: x int32 `(N, T)`, and the attributes of each.

    >>> data = load("sentences", "200", Options())
    >>> data.spec.attributes
    ('plural', 'past', 'negated', 'question', 'adjective', 'length')

    Args:
        name: of the source.
        argument: the number of sentences.
        options: how they are tokenised and split.
        spec: of a run, whose vocabulary encodes them.

    Raises:
        DataError: the argument is no such number.
    """
    source, _ = arguments.read(name, argument, COUNT)
    every = lines(name, argument, options)
    return read(source, every, options, spec, grammar.attributes, grammar.log_probability)


def lines(name: str, argument: str, options: Options) -> list[Line]:
    """The sentences; raises as `load`."""
    _, values = arguments.read(name, argument, COUNT)
    return [Line(text) for text in grammar.sample(values["N"], seed=0)]
