"""`correlations`: which pairs of columns go together, and which of them still do in rows not searched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit

if TYPE_CHECKING:
    import numpy as np

    from simulacra.audit.shared.source import Source

# columns compared: half a million pairs
MOST_COLUMNS = 1000
# numbers held at once
CELLS = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Compare all pairs of columns in some rows, and look up what was found in the others."""

    table: tyro.conf.Positional[Path]
    """CSV with a row for each case; columns that hold text are passed over"""
    holdout: float = 0.5
    """share of the rows, drawn at random, in which nothing is searched: what was found in the others is
    looked up there; 0 withholds none"""
    columns: str | None = None
    """columns to compare, with commas between them; all that hold numbers when not given"""
    seed: int = 0
    """of the draws"""


def audit(arguments: Arguments) -> Audit:
    """Search a table for correlations.

    Raises:
        ConfigError: an impossible setting.
        DataError: the table cannot be used.
    """
    from simulacra.audit.correlations.replication import replication
    from simulacra.audit.correlations.search import Search, chance, found, order
    from simulacra.errors import ConfigError

    if not 0 <= arguments.holdout < 1:
        raise ConfigError(f"holdout: a share of the rows, from 0 up to 1, not {arguments.holdout}")
    if arguments.seed < 0:
        raise ConfigError(f"seed: must be 0 or more, not {arguments.seed}")
    x, names, left, inputs = _read(arguments)
    search = Search(x, names, arguments.holdout, arguments.seed)
    sections = [found(search), chance(search)]
    asked = [
        "Which of two columns acts on the other, or what else acts on both: draw what you think, and run "
        "'simulacra audit causes'.",
        "Curves: two columns may depend on each other without a straight line between them.",
    ]
    if arguments.holdout:
        sections.append(replication(search))
    else:
        asked.insert(0, "Whether what was found holds in new data: withhold rows with --holdout.")
    sections.append(order(search, whole=len(x) == inputs["rows"]))
    inputs |= {"columns compared": len(names), "holdout": arguments.holdout, "seed": arguments.seed}
    if left:
        inputs["columns passed over"] = left
    return Audit(
        "correlations",
        f"Correlations of {len(names):,} columns",
        "Pearson's r of all pairs of columns: how many look related, how many would by chance alone, and "
        f"which still do in rows that were not searched. {arguments.table}, {len(x):,} rows.",
        sections,
        inputs,
        asked,
    )


def _read(arguments: Arguments) -> tuple[np.ndarray, list[str], str, dict[str, str | int | float]]:
    """Numbers `(N, D)` with NaN, the names of their columns, those passed over, and what was read."""
    import numpy as np

    from simulacra.audit.correlations.pairwise import FEWEST, standardised
    from simulacra.audit.shared.phrasing import some
    from simulacra.audit.shared.random_rows import SAMPLE, Loose, sampled
    from simulacra.audit.shared.source import Source

    source = Source(arguments.table)
    fields = {name: Loose(name) for name in _named(source, arguments.columns)}
    table = sampled(source, fields, min(SAMPLE, CELLS // len(fields)), drop=False)
    x = table.to_numpy(dtype=np.float64)
    varies = ~np.isnan(standardised(x)).all(axis=0)
    why = {}
    for name, field, use in zip(fields, fields.values(), varies, strict=True):
        if field.odd is not None:
            if arguments.columns is not None:
                raise source.error(f"column '{name}' holds '{field.odd[:40]}', which is no number")
            why[name] = f"{name} (text: '{field.odd[:20]}')"
        elif not use:
            why[name] = f"{name} (does not vary)"
    names = [name for name in fields if name not in why]
    if len(names) < 2 or len(x) < FEWEST:
        passed = f"; passed over: {some(why.values(), 3)}" if why else ""
        raise source.error(
            f"{len(names)} columns of numbers that vary and {len(x)} rows; at least 2 columns and {FEWEST} "
            f"rows are needed{passed}"
        )
    if len(names) > MOST_COLUMNS:
        raise source.error(
            f"{len(names):,} columns of numbers make too many pairs; name up to {MOST_COLUMNS:,} of them "
            "with --columns"
        )
    inputs = {key: value for key, value in source.about().items() if key != "rows left out"}
    inputs["rows looked at"] = len(x)
    return x[:, [name not in why for name in fields]], names, some(why.values(), 20), inputs


def _named(source: Source, columns: str | None) -> list[str]:
    from simulacra.errors import ConfigError

    if columns is None:
        return list(dict.fromkeys(source.names))
    names = [source.column(name) for name in columns.split(",")]
    if len(set(names)) < max(2, len(names)):
        raise ConfigError("columns: name two or more, each once")
    return names
