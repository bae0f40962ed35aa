"""`decide`: what each action costs under a cost matrix, which is taken, and whom that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit, Section

if TYPE_CHECKING:
    from simulacra.audit.shared.costs import Costs
    from simulacra.audit.shared.source import Source


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Take the action with the least expected cost for everybody, and say what that costs, and whom."""

    table: tyro.conf.Positional[Path]
    """CSV with a row for each person"""
    score: str
    """column with the probability of the first outcome in the costs; of K outcomes, K columns with commas
    between them"""
    costs: Path
    """costs.yaml: actions, each with its cost under every outcome"""
    y: str | None = None
    """what turned out, for what was really paid: of two outcomes COL, COL=VALUE or COL>=NUMBER is the first;
    of more a column with their names"""
    group: str | None = None
    """columns with people's groups, with commas between them"""
    minimum_n: int = 30
    """people that a number of a group needs; below, it is withheld"""


def audit(arguments: Arguments) -> Audit:
    """Decide for everybody in a table.

    Raises:
        ConfigError: an impossible setting.
        DataError: the table or the costs cannot be used.
    """
    from simulacra.audit.decisions.sections import actions, by_group, cost, sensitivity
    from simulacra.audit.shared.calibration import section as calibration
    from simulacra.audit.shared.costs import read_costs
    from simulacra.audit.shared.ledger import read
    from simulacra.audit.shared.source import Source
    from simulacra.errors import ConfigError

    if arguments.minimum_n < 2:
        raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
    costs = read_costs(arguments.costs)
    source = Source(arguments.table, predictions=True)
    scores = _scores(source, arguments.score, costs)
    ledger = read(source, costs, scores, arguments.y, arguments.group, arguments.minimum_n)
    sections: list[Section] = []
    if ledger.bins is not None:
        sections.append(calibration(ledger.bins, arguments.minimum_n, scores[0], costs.outcomes[0]))
    sections += [cost(ledger), sensitivity(ledger), *(by_group(ledger, key) for key in ledger.labels)]
    asked = []
    if arguments.y is None:
        asked.append(
            "What was really paid, whether the scores are right, and who was wronged: "
            "give what turned out with --y."
        )
    if arguments.group is None:
        asked.append("Whom the actions cost: give the columns of groups with --group.")
    inputs = source.about() | {"costs": str(arguments.costs), "score": arguments.score}
    inputs |= {"outcomes": ", ".join(costs.outcomes), "unit of costs": costs.unit}
    if arguments.y is not None:
        inputs["what turned out"] = arguments.y
    return Audit(
        "decide",
        f"What to do: {actions(costs)}",
        "For everybody the action with the least expected cost, given a score and what each action costs "
        f"under each outcome. {arguments.table}, {ledger.n:,} people.",
        sections,
        inputs,
        asked,
    )


def _scores(source: Source, text: str, costs: Costs) -> Sequence[str]:
    names = [source.column(text)] if text.strip() in source.names else text.split(",")
    names = [source.column(name) for name in names]
    K = len(costs.outcomes)
    if len(names) not in (K, 1 if K == 2 else K):
        from simulacra.errors import ConfigError

        raise ConfigError(
            f"score: {len(names)} columns, but {K} outcomes in the costs ({', '.join(costs.outcomes)}); name "
            "one for each, in their order"
        )
    return names
