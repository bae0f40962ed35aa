"""The report of a run: one HTML file that needs nothing else, no network and no scripts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from simulacra.config import to_dict
from simulacra.data.spec import DataSpec
from simulacra.files import write_text
from simulacra.game import Decodes, Encodes, Predicts, Samples, Translates
from simulacra.report import arms, cards, curves, predictions, shares, translations, vectors
from simulacra.report.cards import Card
from simulacra.report.material import Material, gather, untrained
from simulacra.report.numbers import (
    SHOWN,
    Numbers,
    judged,
    kept,
    label,
    last_numbers,
    listed,
    meaning,
    played,
    summary,
)
from simulacra.report.reproduce import changed, command, prediction, retrained, versions
from simulacra.run import Run

CARDS = (
    cards.samples, vectors.samples, shares.modes, shares.classes,
    translations.pairs, translations.there, translations.back,
    predictions.conditional_density, arms.arms, predictions.strips, predictions.named,
    predictions.observed, predictions.calibration,
    cards.reconstructions, cards.latent_map, cards.decoded_lattice, cards.kl,
)  # fmt: skip

CSS = """
:root { color-scheme: light dark; --ground: #fff; --ink: #24292f; --muted: #626b75; --rule: #e4e7eb;
  --soft: #f5f6f8 }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans",
  "Liberation Sans", Arial,
  sans-serif }
main { max-width: 1088px; margin: 0 auto; padding: 48px 24px 64px }
h1, h2 { line-height: 1.2; font-weight: 600; overflow-wrap: anywhere }
h1 { font-size: 2rem; letter-spacing: -.01em; margin: 0 0 8px }
h2 { font-size: 1.125rem; margin: 0 0 12px }
h3 { font-size: .875rem; font-weight: 600; margin: 0 0 4px }
p { margin: 0 0 12px; overflow-wrap: anywhere }
.lead { font-size: 1.125rem; color: var(--muted); max-width: 46em; margin: 0 }
.note { color: var(--muted); font-size: .875rem; max-width: 60em }
.warning { border-left: 3px solid #d55e00; background: var(--soft); padding: 10px 14px; margin: 24px 0 0 }
ul.warning { margin: 0 0 16px; padding-left: 32px; font-size: .9375rem; overflow-wrap: anywhere }
section, .gallery { margin-top: 40px; padding-top: 32px; border-top: 1px solid var(--rule) }
table { border-collapse: collapse; width: 100%; font-size: .9375rem }
th, td { text-align: left; vertical-align: baseline; font-weight: 400; padding: 7px 16px 7px 0;
  border-bottom: 1px solid var(--rule) }
tr:last-child > * { border-bottom: 0 }
.numbers th { white-space: nowrap }
.numbers .value { text-align: right; font-variant-numeric: tabular-nums; font-weight: 600;
  white-space: nowrap;
  padding-right: 6px }
.numbers .unit { color: var(--muted); white-space: nowrap; padding-right: 28px }
.numbers .meaning { color: var(--muted); width: 100%; padding-right: 0 }
.directions .value { padding-left: 12px }
.scroll { overflow-x: auto; margin-top: 24px }
.columns { font-size: .875rem; width: auto; font-variant-numeric: tabular-nums }
.columns th, .columns td { text-align: right; padding: 5px 0 5px 24px }
.columns tr > :first-child { text-align: left; padding-left: 0 }
.columns tr:first-child > * { color: var(--muted); vertical-align: bottom }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr));
  gap: 16px 20px }
.gallery { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 48px 40px }
figure { margin: 0; break-inside: avoid }
.gallery > figure:last-child:nth-child(odd) { grid-column: 1 / -1; display: grid;
  grid-template-columns: subgrid; grid-template-rows: auto 1fr; column-gap: inherit }
.gallery > figure:last-child:nth-child(odd) > h2 { grid-column: 1 / -1 }
figcaption { color: var(--muted); font-size: .875rem; line-height: 1.5; margin-top: 10px; max-width: 500px }
img { display: block; max-width: 100%; height: auto }
.pixelated { image-rendering: pixelated }
.pairs { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px;
  align-items: center }
.pairs > div { font-size: .8125rem; color: var(--muted) }
.pairs > :nth-child(4n + 3), .pairs > :nth-child(4n) { margin-bottom: 12px }
.pairs > :nth-last-child(-n + 2), .pairs.strips > * { margin-bottom: 0 }
.named { display: grid; grid-template-columns: repeat(var(--n), minmax(0, var(--w))); gap: 12px 14px;
  font-size: .75rem; line-height: 1.35; margin-bottom: 16px }
.named > div { overflow-wrap: anywhere }
.named img { margin-bottom: 4px }
.named .wrong img { outline: 2px solid #d55e00; outline-offset: 1px }
details > summary { cursor: pointer; font-size: 1.125rem; font-weight: 600 }
.settings { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 260px), 1fr));
  gap: 24px 40px;
  margin-top: 20px; align-items: start }
.settings table { font-size: .8125rem }
.settings th, .settings td { padding: 4px 12px 4px 0 }
.settings td { text-align: right; padding-right: 0; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere }
.settings .changed > * { font-weight: 600 }
.settings tr:not(.changed) > * { color: var(--muted) }
pre span { display: inline-block; max-width: 100% }
pre { background: var(--soft); border-radius: 6px; padding: 12px 16px; margin: 0 0 12px; font-size: .8125rem;
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; line-height: 1.6;
  white-space: pre-wrap; overflow-wrap: anywhere }
footer { margin-top: 40px; padding-top: 16px; border-top: 1px solid var(--rule) }
@media screen and (max-width: 760px) {
  main { padding: 28px 18px 40px }
  h1 { font-size: 1.625rem }
  .gallery { grid-template-columns: minmax(0, 1fr) }
  .gallery > figure:last-child:nth-child(odd) { display: block }
  .numbers tr { display: grid; grid-template-columns: 1fr auto auto; padding: 7px 0;
    border-bottom: 1px solid var(--rule) }
  .numbers tr:last-child { border-bottom: 0 }
  .numbers tr > * { padding: 0; border: 0 }
  .numbers th { white-space: normal }
  .numbers .value { padding: 0 6px }
  .numbers .unit { padding: 0 }
  .numbers .meaning { grid-column: 1 / -1; font-size: .8125rem }
  .directions tr { grid-template-columns: 1fr 7em 7em 1.5em; align-items: baseline }
  .directions th.value { white-space: normal; overflow-wrap: anywhere }
}
@media screen and (prefers-color-scheme: dark) {
  :root { --ground: #16181c; --ink: #e6e8eb; --muted: #9aa3ad; --rule: #2d3138; --soft: #1f2227 }
  .chart { filter: invert(1) hue-rotate(180deg) }
  .paper { background: #fff; border-radius: 6px; filter: brightness(.9) }
}
@media print {
  body { font-size: 12px }
  main { max-width: none; padding: 0 }
  .gallery { gap: 28px 24px }
  .curves { grid-template-columns: repeat(3, minmax(0, 1fr)) }
  section, .gallery { margin-top: 24px; padding-top: 16px }
  h2, summary { break-after: avoid }
  tr, pre { break-inside: avoid }
  details::details-content { content-visibility: visible; block-size: auto }
}
"""


def write_report(run: Run) -> Path:
    """Write `report.html` into the run folder, whole or not at all; the same run gives the same bytes.

    Every part is there only when the model can do it and the data have it. Without the data the
    report says so and leaves out what needs them.

    Returns:
        The file.

    Raises:
        RunError: there is no run, it has no weights, or the file cannot be written.
    """
    material = gather(run)
    path = run.path / "report.html"
    write_text(path, _page(material))
    return path


def _page(m: Material) -> str:
    title = escape(m.run.path.resolve().name)
    shown = [card for make in CARDS if (card := make(m)) is not None]
    parts = [
        "<header>",
        f"<h1>{title}</h1>",
        f'<p class="lead">{escape(summary(m.config, played(m.run)))}</p>',
        _missing(m),
        "</header>",
        _numbers(m.run),
        _curves(m.run),
        _gallery(shown),
        _settings(m),
        _reproduce(m),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title} - simulacra</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _missing(m: Material) -> str:
    if m.data is None:
        text = f"Without the data, and so without the parts that need them. {m.missing}"
    elif m.held is None:
        text = f"{m.data.name} has no held-out examples, so the parts that need some are left out."
    else:
        return ""
    return f'<p class="note warning" id="missing">{escape(text)}</p>'


def _numbers(run: Run) -> str:
    numbers = last_numbers(run)
    note = escape(numbers.title)
    if not numbers.evaluated:
        note += f" To evaluate: <code>{escape(shlex.join(['simulacra', 'evaluate', str(run)]))}</code>"
    rows = "".join(
        f'<tr><th scope="row">{escape(row.name)}</th>'
        f'<td class="value">{escape(_minus(row.value))}</td><td class="unit">{escape(row.unit)}</td>'
        f'<td class="meaning">{escape(_minus(row.meaning))}</td></tr>\n'
        for row in numbers.rows
    )
    table = f'<table class="numbers">\n{rows}</table>' if rows else ""
    more = _by_column(numbers) + _by_direction(numbers)
    return _section("numbers", "Key numbers", f'<p class="note">{note}</p>{table}{more}')


def _by_column(numbers: Numbers) -> str:
    """A table with a row for each of the first columns that are predicted."""
    if not numbers.columns:
        return ""
    names = [row.name for row in next(iter(numbers.columns.values()))]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ["column", *names])
    rows = "".join(
        f'<tr><th scope="row">{escape(column)}</th>'
        + "".join(f"<td>{escape(_minus(row.value))}{row.unit and ' ' + row.unit}</td>" for row in values)
        + "</tr>\n"
        for column, values in list(numbers.columns.items())[:SHOWN]
    )
    left = len(numbers.columns) - SHOWN
    more = f'<p class="note">And {left:,} more columns.</p>' if left > 0 else ""
    return f'<div class="scroll"><table class="columns">\n<tr>{head}</tr>\n{rows}</table></div>{more}'


def _by_direction(numbers: Numbers) -> str:
    """A table with a column for each direction between two domains."""
    if not numbers.directions:
        return ""
    head = "".join(f'<th scope="col" class="value">{escape(name)}</th>' for name in numbers.directions)
    rows = "".join(
        f'<tr><th scope="row">{escape(number.name)}</th>'
        + "".join(f'<td class="value">{escape(_minus(value))}</td>' for value in values)
        + f'<td class="unit">{escape(number.unit)}</td>'
        + f'<td class="meaning">{escape(_minus(number.meaning))}</td></tr>\n'
        for number, values in numbers.by_direction()
    )
    return f'<table class="numbers directions">\n<tr><td></td>{head}<td></td><td></td></tr>\n{rows}</table>'


def _minus(text: str) -> str:
    """Hyphens that stand for a minus, as a minus."""
    return re.sub(r"(?<![\w-])-(?=\w)", "\u2212", text)


def _curves(run: Run) -> str:
    best, steps = kept(run), played(run)
    # the last weights need no mark
    best = None if best == steps else best
    events = run.events()
    charts = curves.curves(events, best)
    if not charts:
        return ""
    images = "\n".join(
        f"<figure>{cards.chart(chart, f'{label(term)} by step')}{_meaning(term)}</figure>"
        for term, chart in charts.items()
    )
    notes = []
    if best is not None:
        notes.append(f"The weights are those of step {best:,}, dotted, where the validation loss was lowest.")
    if scores := curves.last_scores(events):
        notes.append(judged(scores[-1]))
    note = "".join(f'<p class="note">{escape(text)}</p>' for text in notes)
    return _section("curves", "Training", f'{_warnings(events)}{note}<div class="curves">{images}</div>')


def _meaning(term: str) -> str:
    said = meaning(term)
    return f"<figcaption>{escape(_minus(said[0].upper() + said[1:]))}.</figcaption>" if said else ""


def _warnings(events: Sequence[Mapping[str, Any]]) -> str:
    said = [event for event in events if event["event"] == "warning"]
    lines = "".join(f"<li>Step {event['step']:,}: {escape(event['text'])}.</li>" for event in said)
    return f'<ul class="warning" id="warnings">{lines}</ul>' if said else ""


def _gallery(shown: list[Card]) -> str:
    if not shown:
        return ""
    made = "\n".join(
        f'<figure id="{card.name}"><h2>{escape(card.title)}</h2>{card.body}'
        f"<figcaption>{escape(_minus(card.caption))}</figcaption></figure>"
        for card in shown
    )
    return f'<div class="gallery">\n{made}\n</div>'


def _settings(m: Material) -> str:
    config = m.config
    data = {"source": config.source, **to_dict(config.options), **_described(config.spec)}
    if config.spec.target is not None:
        target = _described(config.spec.target)
        data |= {f"target {name}": target[name] for name in ("kind", "shape", "columns")}
    tables = (
        _table("Model", {"name": config.model, **to_dict(config.config)}, changed(config.config)),
        _table("Data", data, changed(config.options)),
        _table("Training", to_dict(config.training), retrained(config)),
    )
    note = '<p class="note">Settings in bold are not at their defaults.</p>'
    return (
        '<section id="settings"><details><summary>Settings</summary>'
        f'<div class="settings">{"".join(tables)}</div>{note}</details></section>'
    )


def _described(spec: DataSpec) -> dict[str, Any]:
    """What one example is; names of many things shortened."""
    names = {key: listed(getattr(spec, key)) for key in ("classes", "attributes", "columns")}
    return {"kind": spec.kind, "shape": to_dict(spec)["shape"], **names}


def _table(title: str, values: Mapping[str, Any], bold: Iterable[str]) -> str:
    rows = "".join(
        f'<tr{" class=changed" if name in bold else ""}><th scope="row">{escape(name)}</th>'
        f"<td>{escape(_plain(value))}</td></tr>\n"
        for name, value in values.items()
    )
    return f"<div><h3>{title}</h3><table>{rows}</table></div>"


def _plain(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _reproduce(m: Material) -> str:
    run, seed = str(m.run), m.config.training.seed
    more = [["evaluate", run]]
    if isinstance(m.model, Samples):
        image, many = m.config.spec.kind == "image", untrained(m.model)
        file = "samples.png" if image or many else "samples.npz"
        n = "64" if image or not many else str(vectors.MANY)
        more.append(["sample", run, "-n", n, "--seed", str(seed), "--out", file])
    if isinstance(m.model, Translates):
        more.append(["translate", run, "pictures", "--out", "translated"])
    if isinstance(m.model, Predicts):
        more.append(prediction(m.config, m.run)[1:])
    if isinstance(m.model, Encodes) and isinstance(m.model, Decodes) and m.config.spec.kind == "image":
        more.append(["reconstruct", run, "--data", m.config.source, "--out", "pairs.png"])
    again = (
        "Its weights are drawn, not trained."
        if untrained(m.model)
        else "In the same folder the command finds this training finished; another --out trains anew."
    )
    made_with = ", ".join(f"{name} {number}" for name, number in versions(m.run).items())
    note = (
        f"{again} Seed {seed}; {made_with}. The same seed, versions and machine give the same bits on a CPU."
    )
    body = (
        f"<pre>{_shell([shlex.split(command(m.config, run))])}</pre>"
        f'<p class="note">{escape(note)}</p>'
        f"<pre>{_shell([['simulacra', *words] for words in more])}</pre>"
    )
    return _section("reproduce", "How to reproduce", body)


def _shell(commands: list[list[str]]) -> str:
    """Commands, one a line; long ones break between words, not at hyphens."""
    lines = [[f"<span>{escape(shlex.quote(word))}</span>" for word in words] for words in commands]
    return "\n".join(" ".join(line) for line in lines)


def _section(name: str, title: str, body: str) -> str:
    return f'<section id="{name}"><h2>{title}</h2>{body}</section>'
