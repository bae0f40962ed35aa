"""Sentences of files, line by line: text files, plain or packed, and columns of tables."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from simulacra import limits
from simulacra.data.paths import find
from simulacra.data.sources.tables import open_table
from simulacra.data.splits import SPLIT_NAMES
from simulacra.errors import DataError, LimitError, nearest

ENDINGS = (".txt", ".txt.gz", ".gz")
TABLE_ENDINGS = (".csv", ".tsv")


@dataclass(frozen=True)
class Line:
    """A sentence of a source.

    Attributes:
        text: with single spaces, none at its ends.
        label: of its class; None without classes.
        split: position in `SPLITS` that its file names; None where the file names none.
    """

    text: str
    label: str | None = None
    split: int | None = None


class Lines:
    """The sentences of a text file, a table or a folder of text files; they are read anew in every loop.

    Files of a folder are splits where their names say so (`train.txt`, `captions_test.txt`), else classes.

    Args:
        source: as the user wrote it, for messages.
        argument: the path.
        column: of a table, that holds the sentences.
        target: of a table, that holds the classes.
    """

    def __init__(
        self, source: str, argument: str, column: str | None = None, target: str | None = None
    ) -> None:
        """Raises DataError if there is no such file, or it is of no kind that is read."""
        self.source, self.argument, self.column, self.target = source, argument, column, target
        path = find(argument)
        if not path.exists():
            raise DataError(f"{source}: there is no such file or folder")
        self.files = sorted(p for p in path.iterdir() if _is_text(p)) if path.is_dir() else [path]
        if not self.files:
            raise DataError(f"{source}: the folder has no .txt or .gz files")
        self.is_table = not path.is_dir() and path.name.casefold().endswith(TABLE_ENDINGS)
        if not self.is_table and not all(map(_is_text, self.files)):
            raise DataError(f"{source}: give a .txt, .gz or .csv file, or a folder of .txt files")
        if (column or target) and not self.is_table:
            raise DataError(f"{source}: only a .csv has columns; leave --column and --target out")

    def __iter__(self) -> Iterator[Line]:
        """Each line that is not empty.

        Raises:
            DataError: a file is not UTF-8 text, or too large.
        """
        if self.is_table:
            yield from self._of_table()
            return
        splits = [_split(file) for file in self.files]
        named = all(split is not None for split in splits) and len(self.files) > 1
        for file, split in zip(self.files, splits, strict=True):
            label = None if named or len(self.files) == 1 else file.name.partition(".")[0]
            for text in self._of_file(file):
                yield Line(text, label, split if named else None)

    def _of_file(self, file: Path) -> Iterator[str]:
        at, title = 0, self.source if len(self.files) == 1 else f"{self.source}: {file.name}"
        try:
            with limits.open_regular(file, limits.TABLE_BYTES) as raw, _unpacked(raw, file) as stream:
                while line := stream.readline(limits.TEXT_LINE):
                    at += 1
                    if len(line) == limits.TEXT_LINE and line[-1:] != b"\n":
                        line = _whole_characters(line)
                        _skip_line(stream)
                    if b"\0" in line:
                        raise DataError(
                            f"{title}: is not UTF-8 text, or damaged (a zero byte in line {at:,})"
                        )
                    if text := " ".join(line.decode("utf-8-sig" if at == 1 else "utf-8").split()):
                        yield text
        except UnicodeDecodeError:
            raise DataError(f"{title}: is not UTF-8 text (see line {at:,}); save it again as UTF-8") from None
        except LimitError as error:
            raise DataError(f"{title}: {error}") from None
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{title}: cannot be read ({error})") from None

    def _of_table(self) -> Iterator[Line]:
        table = open_table("csv", self.argument)
        column = self.column or (table.names[0] if len(table.names) == 1 else None)
        if column is None:
            raise DataError(
                f"{self.source}: which column has the sentences? Give --column, e.g. {table.names[0]}"
            )
        for name in (column, self.target):
            if name is not None and name not in table.names:
                raise DataError(f"{self.source}: there is no column '{name}', {nearest(name, table.names)}")
        labels = table.cells(self.target) if self.target else None
        for i, text in enumerate(table.cells(column)):
            if plain := " ".join(text.split()):
                yield Line(plain, labels[i] if labels else None)


def _is_text(path: Path) -> bool:
    return path.is_file() and path.name.casefold().endswith(ENDINGS)


def _unpacked(raw: BinaryIO, file: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(raw)) if file.suffix == ".gz" else raw


def _whole_characters(line: bytes) -> bytes:
    """The start of a line in UTF-8, whose last character may be torn, without that."""
    end = len(line)
    # 10xxxxxx goes on with a character
    while end > 1 and line[end - 1] & 0xC0 == 0x80:
        end -= 1
    return line[: end - 1]


def _skip_line(stream: IO[bytes]) -> None:
    while (rest := stream.readline(limits.TEXT_LINE)) and rest[-1:] != b"\n":
        pass


def _split(file: Path) -> int | None:
    """The split that the end of a file's name says, as of `captions_test.txt`."""
    last = re.split(r"[^a-z]+", file.name.partition(".")[0].casefold())[-1]
    return SPLIT_NAMES.get(last)
