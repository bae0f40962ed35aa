"""`correlations`: which pairs of columns are correlated, and which of them still are in other rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Search some rows of a table for correlated columns, and test them in the other rows."""

    table: tyro.conf.Positional[Path]
    """CSV with a row for each case; columns of text are passed over"""
    holdout: float = 0.5
    """share of the rows, drawn at random, that is not searched: what was found in the others is tested there;
    0 withholds none"""
    columns: str | None = None
    """columns to compare, separated by commas; all columns of numbers when not given"""
    seed: int = 0
    """random seed"""


def audit(arguments: Arguments) -> Audit:
    """Search a table for correlations.

    Raises:
        ConfigError: an impossible setting.
        DataError: the table cannot be used.
    """
    from simulacra.audit.correlations.replication import replication
    from simulacra.audit.correlations.search import Search, false_findings, found_pairs, read, row_order
    from simulacra.errors import ConfigError

    if not 0 <= arguments.holdout < 1:
        raise ConfigError(
            f"holdout: must be a share of the rows, at least 0 and below 1, not {arguments.holdout}"
        )
    if arguments.seed < 0:
        raise ConfigError(f"seed: must be 0 or more, not {arguments.seed}")
    x, names, inputs = read(arguments.table, arguments.columns)
    search = Search(x, names, arguments.holdout, arguments.seed)
    sections = [found_pairs(search), false_findings(search)]
    asked = [
        "Which of two columns acts on the other, or what else acts on both: draw a graph of causes, and run "
        "'simulacra audit causes'.",
        "Curves: two columns may depend on each other although their correlation is 0.",
    ]
    if arguments.holdout:
        sections.append(replication(search))
    else:
        asked.insert(0, "Whether what was found holds in new data: withhold rows with --holdout.")
    sections.append(row_order(search, whole=len(x) == inputs["rows"]))
    inputs |= {"holdout": arguments.holdout, "seed": arguments.seed}
    return Audit(
        "correlations",
        f"Correlations of {len(names):,} columns",
        "Pearson's r of all pairs of columns: how many look related, how many would by chance alone, and "
        f"which still do in rows that were not searched. {arguments.table}, {len(x):,} rows.",
        sections,
        inputs,
        asked,
    )
