"""The report of a run: one HTML file that needs nothing else, no network and no scripts."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from simulacra.config import to_dict
from simulacra.core.capabilities import Decodes, Encodes, Predicts, Samples, Translates
from simulacra.data.spec import DataSpec
from simulacra.files import write_text
from simulacra.metrics.registry import metric
from simulacra.report import arms, cards, curves, predictions, shares, translations, vectors
from simulacra.report.cards import Card
from simulacra.report.html import chart, document, minus, section
from simulacra.report.material import Material, gather, untrained
from simulacra.report.numbers import (
    SHOWN,
    Numbers,
    describe_scores,
    kept,
    last_numbers,
    listed,
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
    return document(m.run.path.resolve().name, parts)


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
        f'<td class="value">{escape(minus(row.value))}</td><td class="unit">{escape(row.unit)}</td>'
        f'<td class="meaning">{escape(minus(row.meaning))}</td></tr>\n'
        for row in numbers.rows
    )
    table = f'<table class="numbers">\n{rows}</table>' if rows else ""
    more = _by_column(numbers) + _by_direction(numbers)
    return section("numbers", "Key numbers", f'<p class="note">{note}</p>{table}{more}')


def _by_column(numbers: Numbers) -> str:
    """A table with a row for each of the first columns that are predicted."""
    if not numbers.columns:
        return ""
    names = [row.name for row in next(iter(numbers.columns.values()))]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ["column", *names])
    rows = "".join(
        f'<tr><th scope="row">{escape(column)}</th>'
        + "".join(f"<td>{escape(minus(row.value))}{row.unit and ' ' + row.unit}</td>" for row in values)
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
        + "".join(f'<td class="value">{escape(minus(value))}</td>' for value in values)
        + f'<td class="unit">{escape(number.unit)}</td>'
        + f'<td class="meaning">{escape(minus(number.meaning))}</td></tr>\n'
        for number, values in numbers.by_direction()
    )
    return f'<table class="numbers directions">\n<tr><td></td>{head}<td></td><td></td></tr>\n{rows}</table>'


def _curves(run: Run) -> str:
    best, steps = kept(run), played(run)
    # the last weights need no mark
    best = None if best == steps else best
    events = run.events()
    charts = curves.curves(events, best)
    if not charts:
        return ""
    images = "\n".join(
        f"<figure>{chart(figure, f'{metric(term).label} by step')}{_meaning(term)}</figure>"
        for term, figure in charts.items()
    )
    notes = []
    if best is not None:
        notes.append(f"The weights are those of step {best:,}, dotted, where the validation loss was lowest.")
    if scores := curves.last_scores(events):
        notes.append(describe_scores(scores[-1]))
    note = "".join(f'<p class="note">{escape(text)}</p>' for text in notes)
    return section("curves", "Training", f'{_warnings(events)}{note}<div class="curves">{images}</div>')


def _meaning(term: str) -> str:
    said = metric(term).described({})
    return f"<figcaption>{escape(minus(said[0].upper() + said[1:]))}.</figcaption>" if said else ""


def _warnings(events: Sequence[Mapping[str, Any]]) -> str:
    said = [event for event in events if event["event"] == "warning"]
    lines = "".join(f"<li>Step {event['step']:,}: {escape(event['text'])}.</li>" for event in said)
    return f'<ul class="warning" id="warnings">{lines}</ul>' if said else ""


def _gallery(shown: list[Card]) -> str:
    if not shown:
        return ""
    made = "\n".join(
        f'<figure id="{card.name}"><h2>{escape(card.title)}</h2>{card.body}'
        f"<figcaption>{escape(minus(card.caption))}</figcaption></figure>"
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
    return section("reproduce", "How to reproduce", body)


def _shell(commands: list[list[str]]) -> str:
    """Commands, one a line; long ones break between words, not at hyphens."""
    lines = [[f"<span>{escape(shlex.quote(word))}</span>" for word in words] for words in commands]
    return "\n".join(" ".join(line) for line in lines)
