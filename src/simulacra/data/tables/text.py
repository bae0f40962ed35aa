"""The text of a table: its encoding, its rows and its cells, separated by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

# cells without a value, in any case
MISSING = {"", "na", "n/a", "nan", "null", "?", "-"}
# A text column with more different values than this is free text, not a category.
MOST_CATEGORIES = 20
# what makes a spreadsheet take a cell for a formula
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# a quoted cell; the reader allows no spaces after it
_QUOTED = re.compile(r'((?:^|[,;\t]) *"[^"]*(?:""[^"]*)*") *(?=[,;\t\r\n]|\Z)', re.MULTILINE)
_QUOTES = "a cell's quotes (\") do not match: close them, and write one inside the cell twice"


def decode(raw: bytes) -> str:
    """The text of a file, with or without a byte order mark.

    Raises:
        ValueError: it is not UTF-8 text; a sentence.
    """
    if b"\0" in raw:
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise ValueError("it is UTF-16 text; save it again as UTF-8")
        line = raw.count(b"\n", 0, raw.index(b"\0")) + 1
        raise ValueError(f"it is not text, or damaged (a zero byte in line {line}); write it again as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ValueError(f"it is not UTF-8 text (see line {line}); save it again as UTF-8") from error


def delimiter(text: str) -> str:
    r"""The delimiter in the first line that is not blank: a comma, a semicolon or a tab.

    >>> delimiter('"height, cm";"weight, kg"\n1;2\n')
    ';'
    """
    first = re.search(r"[^\r\n]*\S[^\r\n]*", text)
    bare = re.sub('"[^"]*"', "", first[0]) if first else ""
    return max(",;\t", key=bare.count)


def read_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    r"""Each row that is not blank: the line it begins in, and its cells without the spaces around them.

    >>> list(read_rows('a,b\n\n1, "2"\n'))
    [(1, ['a', 'b']), (3, ['1', '2'])]

    Raises:
        ValueError: quotes do not match; a sentence.
    """
    reader = csv_reader(text)
    line = 1
    try:
        for row in reader:
            if any(row):
                yield line, [cell.strip() for cell in row]
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {line}: {_QUOTES}") from error


def csv_reader(text: str) -> Any:
    """The standard reader of `text`, from its first line; it raises csv.Error where quotes do not match."""
    if re.search('" +[,;\t\r\n]', text):
        text = _QUOTED.sub(r"\1", text)
    return csv.reader(
        StringIO(text, newline=""), delimiter=delimiter(text), strict=True, skipinitialspace=True
    )


def escape(cell: str) -> str:
    """A cell as a spreadsheet may read it: text that it would take for a formula begins with an apostrophe.

    >>> escape("=1+1"), escape("-3.5"), escape("+ more"), escape("a=b")
    ("'=1+1", '-3.5', "'+ more", 'a=b')
    """
    if not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def unescape(cell: str) -> str:
    """The cell that `escape` was given.

    >>> unescape("'=1+1"), unescape("'tis")
    ('=1+1', "'tis")
    """
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
