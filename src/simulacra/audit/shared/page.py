"""The page of an audit, one HTML file that needs nothing else, and findings.json beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from simulacra.audit.shared.findings import VERDICTS, About, Audit, Finding, Plot, Section, Table, dumps
from simulacra.audit.shared.phrasing import interval
from simulacra.files import write_text
from simulacra.report.html import chart, document, minus, section

# headings of what sections are about
HEADINGS: dict[About, str] = {
    "data": "The data",
    "predictions": "What is predicted",
    "actions": "What is done about it",
    "generator": "What is generated",
}

STYLE = """
.about { margin: 56px 0 0; color: var(--muted); font-size: .8125rem; font-weight: 600; letter-spacing: .06em;
  text-transform: uppercase }
.about + section { margin-top: 12px }
.finding { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 420px); gap: 8px 40px;
  padding: 24px 0; border-bottom: 1px solid var(--rule); break-inside: avoid }
.finding:last-child { border-bottom: 0; padding-bottom: 0 }
.finding.alone { grid-template-columns: minmax(0, 1fr) }
.finding .sentence { font-size: 1.0625rem; max-width: 40em; margin: 6px 0 10px }
.verdict { display: inline-block; font-size: .75rem; font-weight: 600; padding: 1px 8px; border-radius: 9px;
  border: 1px solid var(--rule); color: var(--muted) }
.verdict.finding-verdict { background: #d55e00; border-color: #d55e00; color: #fff }
.finding dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px; margin: 0;
  font-size: .875rem; color: var(--muted); max-width: 48em }
.finding dt { font-weight: 600 }
.finding dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
.finding figcaption { margin-top: 6px; font-size: .8125rem }
.key td:first-child { white-space: nowrap; padding-right: 20px }
.scroll h3 { margin-top: 8px }
.gallery > figure:last-child:nth-child(odd) > h3 { grid-column: 1 / -1; margin: 0 }
@media screen and (max-width: 760px) { .finding { grid-template-columns: minmax(0, 1fr) }
  .scroll td { min-width: 7em } }
"""


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
    parts = [
        "<header>",
        f"<h1>{escape(audit.title)}</h1>",
        f'<p class="lead">{escape(minus(audit.lead))}</p>',
        f'<p class="note warning" id="verdicts">{escape(audit.count())}. {_key()}</p>',
        "</header>",
    ]
    about = None
    for one in audit.sections:
        if one.about != about:
            parts.append(f'<p class="about">{HEADINGS[one.about]}</p>')
            about = one.about
        parts.append(_section(one))
    if audit.not_asked:
        body = "".join(f'<p class="note">{escape(text)}</p>' for text in audit.not_asked)
        parts.append(section("not-asked", "What was not looked at", body))
    parts += [_gates(gates), _inputs(audit)]
    return document(audit.title, parts, STYLE)


def _key() -> str:
    words = "; ".join(f"<b>{verdict}</b>: {escape(text)}" for verdict, text in VERDICTS.items())
    return f"{words[0].upper()}{words[1:]}. No verdict says that something is all right."


def _section(one: Section) -> str:
    """Notes, findings with their plots beside them, other plots, tables."""
    plots = {plot.name: plot for plot in one.plots}
    parts = [f'<p class="note">{escape(minus(note))}</p>' for note in one.notes]
    for finding in one.findings:
        # a plot stands beside the first finding it shows
        plot = plots.pop(finding.plot, None) if finding.plot else None
        parts.append(_finding(finding, plot, one.name))
    if plots:
        left = "".join(_plot(plot, one.name, "h3") for plot in plots.values())
        parts.append(f'<div class="gallery">{left}</div>')
    parts += [_table(table) for table in one.tables]
    return section(f"section-{one.name}", escape(one.title), "\n".join(parts))


def _finding(f: Finding, plot: Plot | None, where: str) -> str:
    strong = " finding-verdict" if f.verdict == "finding" else ""
    rows = {}
    if f.number is not None:
        rows["number"] = f"{f.what}: {f.number.value:.4g}" if f.what else f"{f.number.value:.4g}"
        if ends := interval(f.number):
            rows["interval"] = ends
    if f.n is not None:
        rows["n"] = f"{f.n:,}"
    rows["does not show"] = f.does_not_show
    rows["name"] = f.name
    told = "".join(f"<dt>{name}</dt><dd>{escape(minus(text))}</dd>" for name, text in rows.items())
    for e in f.rests_on:
        name = f'<a href="{escape(e.href)}">{escape(e.name)}</a>' if e.href else escape(e.name)
        told += f"<dt>rests on</dt><dd>{name}: {escape(minus(e.sentence))}</dd>"
    if plot is None and f.plot is not None:
        told += f'<dt>plot</dt><dd><a href="#plot-{where}-{escape(f.plot)}">above</a></dd>'
    shown = _plot(plot, where) if plot is not None else ""
    return (
        f'<article class="finding{"" if shown else " alone"}" id="{escape(f.name)}"><div>'
        f'<span class="verdict{strong}">{f.verdict}</span>'
        f'<p class="sentence">{escape(minus(f.sentence))}</p><dl>{told}</dl></div>{shown}</article>'
    )


def _plot(plot: Plot, where: str, heading: str = "") -> str:
    title = f"<{heading}>{escape(plot.title)}</{heading}>" if heading else ""
    picture = chart(plot.figure, plot.title, "paper" if plot.paper else "chart", small=True)
    return (
        f'<figure id="plot-{where}-{escape(plot.name)}">{title}{picture}'
        f"<figcaption>{escape(minus(plot.caption))}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.head)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(minus(cell))}</td>" for cell in cells)
        + "</tr>\n"
        for name, *cells in table.rows
    )
    note = f'<p class="note">{escape(minus(table.note))}</p>' if table.note else ""
    return (
        f'<div class="scroll"><h3>{escape(table.title)}</h3><table class="columns">\n<tr>{head}</tr>\n{rows}'
        f"</table></div>{note}"
    )


def _gates(gates: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(gate['gate'])}</code></td><td>{'passed' if gate['passed'] else 'failed'}</td>"
        f"<td>{escape(minus(gate['why']))}</td></tr>\n"
        for gate in gates
    )
    return section("gates", "Gates", f'<table class="key">{rows}</table>') if rows else ""


def _inputs(audit: Audit) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        f"<td>{escape(f'{value:,}' if isinstance(value, int) else str(value))}</td></tr>\n"
        for name, value in audit.inputs.items()
    )
    return section("inputs", "What was read", f'<table class="key">{rows}</table>')
