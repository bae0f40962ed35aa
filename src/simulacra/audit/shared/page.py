"""The page of an audit, one HTML file that needs nothing else, and findings.json beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from simulacra.audit.shared.findings import VERDICTS, About, Audit, Plot, dumps
from simulacra.audit.shared.phrasing import interval
from simulacra.files import replacing_all
from simulacra.report.inline_images import chart
from simulacra.report.templating import environment

# headings of what sections are about
HEADINGS: dict[About, str] = {
    "data": "The data",
    "predictions": "What is predicted",
    "actions": "What is done about it",
    "generator": "What is generated",
}


def write(
    audit: Audit, findings: Mapping[str, Any], out: Path, overwrite: bool = True, replace: bool = True
) -> Path:
    """Write `audit.html` and `findings.json` into a folder, and the files of the audit: all of them or none.
    The same again gives the same bytes.

    Args:
        audit: what was found.
        findings: `audit.json(...)`.
        out: the folder.
        overwrite: whether files of the audit replace what is there.
        replace: whether the page and the findings do.

    Returns:
        The page.
    """
    texts = {"findings.json": dumps(findings), "audit.html": page(audit, findings["gates"])}
    paths = dict.fromkeys(audit.files, overwrite) | {out / name: replace for name in texts}
    with replacing_all(paths) as temporaries:
        for fill, temporary in zip(audit.files.values(), temporaries, strict=False):
            fill(temporary)
        for text, temporary in zip(texts.values(), temporaries[len(audit.files) :], strict=True):
            temporary.write_text(text, encoding="utf-8")
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
