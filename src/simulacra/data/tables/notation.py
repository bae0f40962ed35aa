"""Numbers as spreadsheets show them: with a decimal comma, marks between thousands, or a unit."""

from __future__ import annotations

import re
from collections.abc import Collection

_CURRENCY = r"[$€£¥₹]|USD|EUR|GBP|CHF|JPY"
_CELL = re.compile(
    rf"(?P<sign>[-+]?) ?(?P<prefix>{_CURRENCY})?\s?(?P<minus>[-+]?)(?P<digits>\d[\d.,]*(?:[eE][-+]?\d+)?)"
    rf"(?P<suffix>\s?(?:[%‰]|{_CURRENCY})|\s[^\W\d_°]{{1,4}}|\s?°[CF]?)?"
)
_POINT = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?")
_COMMA = re.compile(r"(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?(?:[eE][-+]?\d+)?")


def plain_numbers(cells: Collection[str], delimiter: str) -> dict[str, str]:
    """Each cell -> its number as Python writes it, if all of them are written in one way; else empty.

    Every cell must allow the same decimal mark. If they allow both, as `1,234` does, a file of semicolons has
    decimal commas, one of commas has thousands, and one of tabs is not decided. Without a comma the point is
    the decimal mark. A number without a unit has no decimal comma in a file of commas.

    >>> plain_numbers(["1.234,56", "12,5", "7"], ";")
    {'1.234,56': '1234.56', '12,5': '12.5', '7': '7'}
    >>> plain_numbers(["$23,561.59", "-$4"], ","), plain_numbers(["45 %"], ",")
    ({'$23,561.59': '23561.59', '-$4': '-4'}, {'45 %': '45'})
    >>> plain_numbers(["$4", "4 EUR"], ","), plain_numbers(["a1", "a2"], ",")
    ({}, {})

    Args:
        cells: the different cells of a column, without missing ones.
        delimiter: what separates the cells of the file.
    """
    found = []
    for cell in cells:
        match = _CELL.fullmatch(cell)
        if match is None or (match["sign"] and match["minus"]):
            return {}
        found.append(match)
    units = {((match["prefix"] or ""), (match["suffix"] or "").strip()) for match in found}
    if len(units) != 1:
        return {}
    digits = [match["digits"] for match in found]
    point, comma = (all(map(form.fullmatch, digits)) for form in (_POINT, _COMMA))
    if point and comma and any("," in number for number in digits):
        point, comma = delimiter == ",", delimiter == ";"
    if not point and (not comma or (delimiter == "," and units == {("", "")})):
        return {}
    thousands = "," if point else "."
    return {
        match[0]: (match["sign"] + match["minus"]) + match["digits"].replace(thousands, "").replace(",", ".")
        for match in found
    }


def looks_like_numbers(cells: Collection[str]) -> bool:
    """Whether most cells are numbers with or without units, which may differ."""
    return 2 * sum(_CELL.fullmatch(cell) is not None for cell in cells) > len(cells)
