"""The page of an audit, one HTML file that needs nothing else, and findings.json beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from simulacra.audit.shared.findings import VERDICTS, About, Audit, Plot, dumps
from simulacra.audit.shared.phrasing import interval
from simulacra.files import write_text
from simulacra.report.inline_images import chart
from simulacra.report.templating import environment

# headings of what sections are about
HEADINGS: dict[About, str] = {
    "data": "The data",
    "predictions": "What is predicted",
    "actions": "What is done about it",
    "generator": "What is generated",
}


def write(audit: Audit, findings: Mapping[str, Any], out: Path) -> Path:
    """Write `audit.html` and `findings.json` into a folder, each whole or not at all; the same again gives
    the same bytes.

    Args:
        audit: what was found.
        findings: `audit.json(...)`.
        out: the folder.

    Returns:
        The page.
    """
    write_text(out / "findings.json", dumps(findings))
    write_text(out / "audit.html", page(audit, findings["gates"]))
    return out / "audit.html"


def page(audit: Audit, gates: Iterable[Mapping[str, Any]] = ()) -> str:
    """The page as text."""
    templates = environment("simulacra.audit.shared")
    templates.filters["interval"] = interval
    return templates.get_template("audit.html").render(
        audit=audit, gates=list(gates), verdicts=VERDICTS, headings=HEADINGS, chart=_chart, title=audit.title
    )


def _chart(plot: Plot) -> Markup:
    return Markup(chart(plot.figure, plot.title, "paper" if plot.paper else "chart", small=True))
