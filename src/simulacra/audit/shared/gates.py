"""`--fail-on`: conditions under which an audit fails a build. Imports nothing slow."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from simulacra.audit.shared.findings import OPEN, Audit, Finding
from simulacra.errors import ConfigError, nearest

SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le,
}  # fmt: skip
# of the number itself, besides the names in `more`
ENDS = ("low", "high")


@dataclass(frozen=True)
class Outcome:
    """Whether a gate lets an audit pass, and why in one line."""

    gate: str
    passed: bool
    why: str


@dataclass(frozen=True)
class Gate:
    """`NAME[:KEY][>NUMBER]`, parsed.

    Attributes:
        text: as written.
        name: of a finding; `*` stands for any letters.
        key: which of its numbers: a name in `more`, the `low` or `high` end of the interval, or "" for the
            number itself.
        sign: one of `SIGNS`, or "": fails where the verdict is "finding".
        bound: what the number is compared with.
    """

    text: str
    name: str
    key: str = ""
    sign: str = ""
    bound: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Gate:
        """Parse a gate.

        >>> Gate.parse("false-positive-rate.*:ratio>1.25")
        Gate(text='false-positive-rate.*:ratio>1.25', name='false-positive-rate.*', key='ratio', sign='>', bound=1.25)

        Raises:
            ConfigError: it is none.
        """  # noqa: E501  # one line of output
        match = re.fullmatch(r"\s*([^\s:<>=]+)(?::([^\s:<>=]+))?\s*(?:(>=|<=|>|<)\s*(\S+))?\s*", text)
        try:
            if match is None:
                raise ValueError
            name, key, sign, bound = (part or "" for part in match.groups())
            if key and not sign:
                raise ValueError
            return cls(text.strip(), name, key, sign, float(bound or 0))
        except ValueError:
            raise ConfigError(
                f"fail-on: '{text}' is not a gate; write NAME, 'NAME>NUMBER' or 'NAME:KEY>NUMBER' (in "
                "quotes: the shell writes to files with >)"
            ) from None

    def check(self, audit: Audit) -> Outcome:
        """Apply the gate to an audit.

        A gate fails if any finding it names meets its condition, and if none of the findings it names has a
        number: what could not be checked must not pass.

        Raises:
            ConfigError: it names no finding, or a number that none of them has.
        """
        named = [f for f in audit.findings() if fnmatchcase(f.name, self.name)]
        if not named:
            hint = nearest(self.name, [f.name for f in audit.findings()])
            raise ConfigError(f"fail-on: this audit has no finding '{self.name}', {hint}")
        checked = [f for f in named if f.verdict not in OPEN]
        if not checked:
            return Outcome(self.text, False, f"cannot be checked: {named[0].sentence}")
        if not self.sign:
            found = [f for f in checked if f.verdict == "finding"]
            why = found[0].sentence if found else f"none of {len(checked)} is a finding"
            return Outcome(self.text, not found, why + _withheld(named, checked))
        numbers = {f.name: number for f in checked if (number := self._number(f)) is not None}
        if not numbers:
            return Outcome(self.text, False, f"cannot be checked: {checked[0].name} has no {self.key} here")
        over = {name: x for name, x in numbers.items() if SIGNS[self.sign](x, self.bound)}
        name, x = next(iter((over or numbers).items()))
        key = f":{self.key}" if self.key else ""
        why = f"{name}{key} is {x:.6g}{'' if over else f', not {self.sign} {self.bound:g}'}"
        return Outcome(self.text, not over, why + _withheld(named, checked))

    def _number(self, finding: Finding) -> float | None:
        assert finding.number is not None
        if not self.key:
            return finding.number.value
        if self.key in ENDS:
            return getattr(finding.number, self.key)
        found = finding.more.get(self.key)
        return None if found is None else found.value


def _withheld(named: Sequence[Finding], checked: Sequence[Finding]) -> str:
    left = len(named) - len(checked)
    return f" ({left} of {len(named)} withheld)" if left else ""
