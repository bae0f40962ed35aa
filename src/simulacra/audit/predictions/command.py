"""`predictions`: whether predictions go wrong for some groups more than for others, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit, Section


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Compare predictions with outcomes, group by group."""

    table: tyro.conf.Positional[Path]
    """CSV with a row for each person"""
    y: str
    """the outcome, a condition: COL, COL=VALUE[,VALUE] or COL>=NUMBER"""
    pred: str
    """the flagged people, a condition: COL, COL=VALUE[,VALUE] or COL>=NUMBER"""
    group: str
    """columns with people's groups, with commas between them; several are also crossed"""
    score: str | None = None
    """column with the predicted probability of --y, for calibration"""
    train: Path | None = None
    """CSV the model was trained on: do its other columns predict the groups?"""
    costs: Path | None = None
    """costs.yaml: what each action costs under each outcome; who is flagged gets the action that costs least
    under the first outcome"""
    minimum_n: int = 30
    """people that a number of a group needs; below, it is withheld"""


def audit(arguments: Arguments) -> Audit:
    """Compare the rates of groups.

    Raises:
        ConfigError: an impossible setting.
        DataError: a table or the costs cannot be used.
    """
    from simulacra.audit.decisions.sections import cost, cost_by_group
    from simulacra.audit.predictions.confusion import Confusion, outcomes, rates
    from simulacra.audit.predictions.proxies import proxies
    from simulacra.audit.shared import calibration
    from simulacra.audit.shared.costs import read_costs
    from simulacra.audit.shared.groups import Groups
    from simulacra.audit.shared.source import Source
    from simulacra.errors import ConfigError

    if arguments.minimum_n < 2:
        raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
    costs = None if arguments.costs is None else read_costs(arguments.costs)
    if costs is not None and len(costs.outcomes) != 2:
        raise ConfigError(f"costs: {len(costs.outcomes)} outcomes, but --y has two; name costs for two")
    source = Source(arguments.table, predictions=True)
    y, flag = source.condition(arguments.y), source.condition(arguments.pred)
    groups = Groups(source, arguments.group)
    fields = {"y": y, "flag": flag, **groups.fields}
    bins = None
    if arguments.score is not None:
        fields["score"] = source.probability(arguments.score)
        bins = calibration.Bins(groups.labels)
    confusion = Confusion(groups.labels, y.text, arguments.minimum_n)
    for part in source.read(fields):
        part = groups.crossed(part)
        confusion.add(part)
        if bins is not None and len(part):
            bins.add(part, part["score"], part["y"])
    inputs = source.about() | {"outcome": y.text, "flagged": flag.text, "groups": arguments.group}
    sections: list[Section] = [outcomes(confusion)]
    asked = []
    if arguments.train is not None:
        used = [y.column, flag.column, *([arguments.score] if arguments.score else [])]
        section, read = proxies(Source(arguments.train), arguments.group, used, arguments.minimum_n)
        sections.append(section)
        inputs |= {f"training {name}": value for name, value in read.items()}
    else:
        asked.append("Whether other columns predict the groups: give --train.")
    sections += [rates(confusion, key) for key in groups.labels]
    if bins is not None and arguments.score is not None:
        sections.append(calibration.section(bins, arguments.minimum_n, arguments.score, y.text))
    else:
        asked.append("Whether a score means the same in all groups: give its column with --score.")
    if costs is not None:
        ledger = confusion.ledger(costs)
        findings, plots = zip(*(cost_by_group(ledger, key) for key in groups.labels), strict=True)
        sections += [cost(ledger), Section("bearing", "Whom it costs", "actions", findings, plots)]
        inputs["costs"] = str(arguments.costs)
    else:
        asked.append(
            "What is done about a prediction, what that costs, and whom: a prediction is not an action. Give "
            "--costs, or run 'simulacra audit decide'."
        )
    return Audit(
        "predictions",
        f"Predictions of {y.text}, by {' and '.join(field.column for field in groups.fields.values())}",
        f"Flagged: {flag.text}. Outcome: {y.text}. {arguments.table}, "
        f"{source.rows - source.left_out:,} people{_fitted(source.fitted)}.",
        sections,
        inputs,
        asked,
    )


def _fitted(n: int) -> str:
    """What a page says about people who are left out because the model was fitted to them."""
    return f"; {n:,} of its training and validation splits are left out" if n else ""
