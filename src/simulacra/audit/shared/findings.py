"""What an audit reports: findings in sections, and `findings.json`.

The file is stable: names are only added to it as long as `SCHEMA` stays.

    {"schema": "simulacra.audit/1", "simulacra": VERSION, "kind", "title", "inputs": {...}, "level": 0.95,
     "sections": [{"name", "title", "about",
                   "findings": [{"name", "verdict", "sentence", "what", "number", "interval": [low, high],
                                 "n", "more": {KEY: {"number", "interval"}}, "does_not_show", "plot",
                                 "rests_on": [{"name", "sentence", "href"}]}]}],
     "gates": [{"gate", "passed", "why"}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = "simulacra.audit/1"
# of every interval, unless stated otherwise
LEVEL = 0.95

Verdict = Literal["finding", "no finding", "withheld", "outside the data", "stated"]
# what each verdict means, in the order in which they are counted
VERDICTS: dict[Verdict, str] = {
    "finding": "the data say so: the interval leaves no room for chance alone",
    "no finding": "the data are compatible with no difference, and with every other value in the interval",
    "withheld": "too few people, or too little known, to say anything",
    "outside the data": "no number: nothing like what is asked was observed",
    "stated": "arithmetic on what was given; chance has no part in it, or is not tested",
}
# verdicts without a number
OPEN: tuple[Verdict, ...] = ("withheld", "outside the data")
About = Literal["data", "predictions", "actions", "generator"]


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its interval; an exact number has none.

    Raises:
        ValueError: a number is not finite, or the interval has one end.
    """

    value: float
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        # NumPy's numbers are no JSON
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            object.__setattr__(self, name, None if number is None else float(number))
        if not all(isfinite(number) for number in (self.value, self.low or 0.0, self.high or 0.0)):
            raise ValueError(f"not finite: {self.value}, {self.low}, {self.high}")
        if (self.low is None) != (self.high is None):
            raise ValueError(f"one end of an interval: {self.low}, {self.high}")

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the interval; of an exact number twice itself."""
        if self.low is None or self.high is None:
            return self.value, self.value
        return self.low, self.high

    @property
    def verdict(self) -> Literal["finding", "no finding"]:
        """Whether the interval excludes 0."""
        return "no finding" if self.holds(0) else "finding"

    @property
    def clearance(self) -> float:
        """How far 0 lies outside the interval; negative inside it."""
        return max(self.ends[0], -self.ends[1])

    def holds(self, value: float) -> bool:
        """Whether the interval has room for a value; an exact number has none but for itself."""
        low, high = self.ends
        return low <= value <= high

    def __sub__(self, exact: float) -> Estimate:
        if self.low is None or self.high is None:
            return Estimate(self.value - exact)
        return Estimate(self.value - exact, self.low - exact, self.high - exact)


@dataclass(frozen=True)
class Evidence:
    """What a signed answer rests on: a sentence of another finding, with a link, or a file."""

    name: str
    sentence: str
    href: str | None = None


@dataclass(frozen=True)
class Finding:
    """One sentence, with what it rests on.

    Attributes:
        name: what gates call it, unique in an audit: words of a-z, 0-9 and hyphens, joined by points.
        sentence: what was found, for a reader of this sentence alone; one or two sentences.
        verdict: one of `VERDICTS`.
        does_not_show: what a reader might take it for, and must not.
        what: what `number` is, in a few words.
        number: the number that gates read; None if the verdict is one of `OPEN`.
        n: people, or whatever was counted, that the number rests on.
        more: further numbers, by names as those of findings; gates reach them as `NAME:KEY`.
        plot: the name of the plot of the same section that shows it.
        rests_on: evidence of a signed answer.

    >>> Finding("share.women", "Of 100 people 31 are women.", "stated", "Who was not asked.",
    ...         "share", Estimate(0.31, 0.26, 0.37), 263).json()["interval"]
    [0.26, 0.37]
    """

    name: str
    sentence: str
    verdict: Verdict
    does_not_show: str
    what: str = ""
    number: Estimate | None = None
    n: int | None = None
    more: Mapping[str, Estimate] = field(default_factory=dict)
    plot: str | None = None
    rests_on: Sequence[Evidence] = ()

    def __post_init__(self) -> None:
        for name in (self.name, *self.more):
            if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", name):
                raise ValueError(f"no name of a finding: {name!r}")
        if not (self.sentence and self.does_not_show):
            raise ValueError(f"{self.name}: a finding has a sentence, and what it does not show")
        if (self.verdict in OPEN) != (self.number is None):
            raise ValueError(f"{self.name}: a finding has a number, one that is withheld has none")

    def json(self) -> dict[str, Any]:
        """The JSON object in findings.json."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "sentence": self.sentence,
            "what": self.what,
            **_json(self.number),
            "n": None if self.n is None else int(self.n),
            "more": {key: _json(value) for key, value in self.more.items()},
            "does_not_show": self.does_not_show,
            "plot": self.plot,
            "rests_on": [asdict(evidence) for evidence in self.rests_on],
        }


def conclude(
    found: bool,
    otherwise: str,
    name: str,
    sentence: str,
    does_not_show: str,
    what: str,
    number: Estimate,
    n: int,
    more: Mapping[str, Estimate] | None = None,
    plot: str | None = None,
) -> Finding:
    """A `Finding` with the verdict of a test; its sentence goes on with `otherwise` where nothing was found.

    >>> conclude(False, "The data are compatible with none.", "a", "It is 0.1.", "Why.", "share",
    ...        Estimate(0.1, -0.1, 0.3), 20).sentence
    'It is 0.1. The data are compatible with none.'
    """
    if not found:
        sentence = f"{sentence} {otherwise}".rstrip()
    verdict: Verdict = "finding" if found else "no finding"
    return Finding(name, sentence, verdict, does_not_show, what, number, n, more or {}, plot)


def _json(number: Estimate | None) -> dict[str, Any]:
    if number is None:
        return {"number": None, "interval": None}
    return {"number": number.value, "interval": None if number.low is None else [number.low, number.high]}


@dataclass(frozen=True)
class Plot:
    """A picture and a line below it; `paper`: on a light ground where the page is dark."""

    name: str
    title: str
    figure: Figure
    caption: str
    paper: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column names the row."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Findings about one thing. Predictions and the actions that follow from them have separate sections.

    Attributes:
        name: unique among the sections, made as the names of findings are.
        title: a heading.
        about: what it is about.
        findings: in the order in which they are read.
        plots: those that findings name, and others.
        tables: below the findings.
        notes: paragraphs above them.
    """

    name: str
    title: str
    about: About
    findings: Sequence[Finding] = ()
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        drawn = {plot.name for plot in self.plots}
        if lost := [f.name for f in self.findings if f.plot is not None and f.plot not in drawn]:
            raise ValueError(f"{self.name}: plots of {', '.join(lost)} are missing")


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        kind: `simulacra audit KIND`.
        title: a heading.
        lead: what was asked, of what; one or two sentences.
        sections: at least one.
        inputs: what was read and how: name -> text or number.
        not_asked: what the audit could have measured and did not, and how to get it; a sentence each.
        files: written together with the page: path -> what writes it to a path.
    """

    kind: str
    title: str
    lead: str
    sections: Sequence[Section]
    inputs: Mapping[str, str | int | float]
    not_asked: Sequence[str] = ()
    files: Mapping[Path, Callable[[Path], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for names in ([f.name for f in self.findings()], [section.name for section in self.sections]):
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"names are used twice: {', '.join(sorted(twice))}")

    def findings(self) -> Iterator[Finding]:
        """All of them, in the order of the sections."""
        for section in self.sections:
            yield from section.findings

    def count(self) -> str:
        """How many findings have which verdict.

        >>> f = Finding("a", "It is so.", "stated", "Why.", "", Estimate(1))
        >>> Audit("fallacy", "", "", [Section("s", "", "data", [f])], {}).count()
        '0 findings, 0 without, 0 withheld, 1 stated'
        """
        verdicts = [f.verdict for f in self.findings()]
        found, without, withheld, outside, stated = map(verdicts.count, VERDICTS)
        beyond = f"{outside} outside the data, " if outside else ""
        return (
            f"{found} finding{'s' * (found != 1)}, {without} without, {withheld} withheld, {beyond}"
            f"{stated} stated"
        )

    def json(self, gates: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
        """The JSON object in findings.json."""
        return {
            "schema": SCHEMA,
            "simulacra": version("simulacra"),
            "kind": self.kind,
            "title": self.title,
            "inputs": dict(self.inputs),
            "level": LEVEL,
            "sections": [
                {
                    "name": section.name,
                    "title": section.title,
                    "about": section.about,
                    "findings": [f.json() for f in section.findings],
                }
                for section in self.sections
            ],
            "gates": [dict(gate) for gate in gates],
        }


def dumps(document: Mapping[str, Any]) -> str:
    """The text of findings.json."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def slug(text: str) -> str:
    """A word for the name of a finding.

    >>> slug("Native American"), slug("race & sex"), slug("%")
    ('native-american', 'race-sex', 'x')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-") or "x"
