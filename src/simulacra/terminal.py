"""Messages for a person, who may have closed the terminal: what cannot be written is not missed."""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

from simulacra.errors import abridge, printable


class Tolerant(io.TextIOBase):
    """A text file that swallows what it cannot write: to a closed terminal, a broken pipe or a full disk.

    Args:
        file: where the text goes; None where the process was started without.

    >>> Tolerant(None).write("nobody reads this")
    17
    """

    def __init__(self, file: TextIO | None) -> None:
        self.file = file

    def write(self, text: str) -> int:
        """Write, if that is possible; returns the length of the text."""
        if self.file is not None:
            try:
                self.file.write(text)
            # ValueError: it was closed
            except (OSError, ValueError):
                self._give_up()
        return len(text)

    def flush(self) -> None:
        if self.file is not None:
            try:
                self.file.flush()
            except (OSError, ValueError):
                self._give_up()

    def isatty(self) -> bool:
        return self.file is not None and not self.file.closed and self.file.isatty()

    def fileno(self) -> int:
        if self.file is None:
            raise io.UnsupportedOperation("fileno")
        return self.file.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute there
        return "utf-8" if self.file is None else self.file.encoding

    def _give_up(self) -> None:
        """Send what is left in its buffer, and all that follows, nowhere."""
        file, self.file = self.file, None
        assert file is not None
        with suppress(OSError, ValueError):
            descriptor = os.open(os.devnull, os.O_WRONLY)
            os.dup2(descriptor, file.fileno())
            os.close(descriptor)


# letters of a word, beyond those of languages and names of files, and how many are shown of one
LONGEST_WORD, ABRIDGED = 300, 60


def displayed(text: str) -> str:
    """Text with names from files as a terminal shows it.

    Characters that cannot be shown, besides ends of lines and tabs, become `?`, so that no name steers the
    terminal. Endless words lose their middle; paths, whose parts are shorter, stay as they are.

    >>> displayed("no column '\x1b[2J" + "y" * 10_000 + "'")
    "no column '?[2Jyyyyyyyyyyyyyyyyyyyyyyyy...yyyyyyyyyyyyyyyyyyyyyyyyyyy'"
    """
    return re.sub(rf"[^\s/\\]{{{LONGEST_WORD + 1},}}", lambda word: abridge(word[0], ABRIDGED), _safe(text))


def _safe(text: str) -> str:
    return re.sub(r"[^\n\r\t]+", lambda part: printable(part[0]), text)


class Printable:
    """A text file for a person: what is written is `displayed`.

    Args:
        file: where the text goes. Progress bars, which move the cursor, write to it directly: rich looks for
            `rich_proxied_file`.
        whole: whether endless words stay whole, as in JSON.
    """

    def __init__(self, file: TextIO, whole: bool = False) -> None:
        self.rich_proxied_file = file
        self.show = _safe if whole else displayed

    def write(self, text: str) -> int:
        """Write text as a terminal shows it."""
        return self.rich_proxied_file.write(self.show(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


def printable_file(file: TextIO | None, whole: bool = False) -> TextIO | None:
    """The file as a `Printable`; None where the process was started without."""
    if isinstance(file, Printable):
        file = file.rich_proxied_file
    return cast(TextIO | None, file if file is None else Printable(file, whole))


def fill_standard_streams() -> None:
    """Open `/dev/null` in place of the standard streams that this process was started without.

    Otherwise the next file that is opened gets the number of standard error, and what the system or a library
    writes there ends up in it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # it gets the lowest number that is free, which is this one
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def tolerant_stderr() -> TextIO:
    """The standard error of this process, which never fails."""
    file = sys.stderr
    return cast(TextIO, file if isinstance(file, Tolerant) else Tolerant(file))
