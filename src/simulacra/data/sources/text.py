"""`text:PATH`: a sentence a line, of a text file, plain or .gz, a folder of them, or a column of a .csv."""

from __future__ import annotations

from simulacra.data.spec import Data, DataSpec, Options
from simulacra.data.text.lines import Lines
from simulacra.data.text.read import read


def load(name: str, argument: str, options: Options, spec: DataSpec | None = None) -> Data:
    """Load sentences: x int32 `(N, T)`, numbers of tokens.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lines = "\\n".join(f"This is number {i}." for i in range(50))
    ...     _ = pathlib.Path(folder, "a.txt").write_text(lines)
    ...     data = load("text", f"{folder}/a.txt", Options())
    >>> data.spec
    DataSpec('text', (6,), Vocabulary(7 words))
    >>> data.spec.vocabulary.decode(data.test.x)[0]
    'This is number <unknown>.'

    Args:
        name: of the source.
        argument: the path.
        options: the column of a table, and how sentences are tokenised and split.
        spec: of a run, whose vocabulary encodes the sentences.

    Raises:
        DataError: the file is missing or no text, or there are too few sentences.
    """
    return read(f"{name}:{argument}", lines(name, argument, options), options, spec)


def lines(name: str, argument: str, options: Options) -> Lines:
    """The sentences, read anew in every loop; raises as `load`."""
    return Lines(f"{name}:{argument}", argument, options.column, options.target)
