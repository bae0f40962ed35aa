"""The groups that people are put in: columns of a table, and their intersection."""

from __future__ import annotations

from typing import Any, TypeVar

from simulacra.audit.shared.source import Field, Source

# rows, or the same for pandas
P = TypeVar("P")


class Groups:
    """Columns of groups, and all of them crossed where there are several.

    Attributes:
        fields: for `Source.parts`: key -> column. Keys cannot be mistaken for other fields.
        labels: key -> what sentences call it; the crossing among them.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "a.csv").write_text("race,sex\\nA,f\\nB,m\\n")
    ...     source = Source(pathlib.Path(folder, "a.csv"))
    ...     groups = Groups(source, "race,sex")
    ...     part = groups.crossed(next(source.read(groups.fields)))
    >>> groups.labels["group 0 x 1"], part["group 0 x 1"].tolist()
    ('race & sex', ['A & f', 'B & m'])

    Args:
        source: the table.
        columns: names with commas between them, or None.

    Raises:
        DataError: a column is not there, or named twice.
    """

    def __init__(self, source: Source, columns: str | None) -> None:
        found = source.groups(columns) if columns else []
        self.fields: dict[str, Field] = {f"group {i}": field for i, field in enumerate(found)}
        self.labels = {key: field.column for key, field in self.fields.items()}
        if len(found) > 1:
            crossing = f"group {' x '.join(map(str, range(len(found))))}"
            self.labels[crossing] = " & ".join(self.labels.values())

    def crossed(self, part: P) -> P:
        """A part, `Rows` or of pandas, with the column of the crossing."""
        if len(self.fields) > 1:
            columns: Any = part
            first, *rest = self.fields
            name = columns[first]
            for key in rest:
                name = name + " & " + columns[key]
            columns[list(self.labels)[-1]] = name
        return part
