"""`sampling`: who is selected, compared with a reference population, and what reweighting corrects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.audit.shared.arguments import Shared
from simulacra.audit.shared.findings import Audit


@dataclass(frozen=True, kw_only=True)
class Arguments(Shared):
    """Compare the people in a table with a reference population, for example arrests with drug use."""

    observed: tyro.conf.Positional[Path]
    """CSV with a row for each person selected"""
    reference_rates: Path
    """CSV with a row for each group, in columns with the same names as in the other table; 'rate': how common
    it is what people are selected for (and 'n', how many were asked); one more column, people or shares of
    them. Rates alone that add up to 1 are the shares of the groups"""
    count: str | None = None
    """column with how many people a row stands for"""
    selected: str | None = None
    """in a table of everybody, who is selected: COL, COL=VALUE[,VALUE] or COL>=NUMBER"""
    y: str | None = None
    """an outcome to reweight to the reference: COL, COL=VALUE[,VALUE] or COL>=NUMBER"""
    minimum_n: int = 30
    """people of a group that must be selected, or expected to be; with fewer, its numbers are withheld"""


def audit(arguments: Arguments) -> Audit:
    """Compare those selected with a reference.

    Raises:
        ConfigError: an impossible setting.
        DataError: a table cannot be used.
    """
    from simulacra.audit.sampling.reference import read
    from simulacra.audit.sampling.selection import shares, uncorrectable, weights
    from simulacra.audit.shared.source import Source
    from simulacra.errors import ConfigError

    if arguments.minimum_n < 2:
        raise ConfigError(f"minimum-n: must be at least 2, not {arguments.minimum_n}")
    observed, rates = Source(arguments.observed), Source(arguments.reference_rates)
    found = read(observed, rates, arguments.count, arguments.selected, arguments.y)
    inputs = observed.about() | {"reference": str(arguments.reference_rates), "groups": found.column}
    inputs |= {"people selected": found.n}
    for name in ("count", "selected", "y"):
        if (value := getattr(arguments, name)) is not None:
            inputs[name] = value
    asked = ["Why the selection is as it is: tables of who is selected do not show it."]
    if arguments.y is None:
        asked.append(
            "What an outcome would be in the reference, and how selection within groups changes it: name "
            "it with --y."
        )
    if found.rate is not None and found.asked is None:
        asked.append("How precise the reference is: a column 'n' with how many were asked widens intervals.")
    of = "people" if found.rate is None else "people times rate"
    return Audit(
        "sampling",
        f"Who is selected, compared with the reference: {found.column}",
        f"{found.n:,} people selected in {arguments.observed}, reference {arguments.reference_rates} ({of}).",
        [
            shares(found, arguments.minimum_n),
            weights(found, arguments.minimum_n, arguments.y),
            uncorrectable(found, arguments.minimum_n, arguments.y),
        ],
        inputs,
        asked,
    )
