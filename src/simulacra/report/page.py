"""The report of a run: one HTML file that needs nothing else, no network and no scripts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from simulacra.config import to_dict
from simulacra.core.capabilities import Capability, Decodes, commands
from simulacra.data.spec import DataSpec
from simulacra.files import write_text
from simulacra.metrics.registry import metric
from simulacra.report import curves
from simulacra.report.data_section import data_section
from simulacra.report.inline_images import chart
from simulacra.report.material import Material, gather
from simulacra.report.numbers import (
    SHOWN,
    describe_scores,
    kept,
    listed,
    numbers_of,
    summary,
)
from simulacra.report.report_card import ReportCard
from simulacra.report.reproduce import changed, command, retrained, versions
from simulacra.report.templating import render
from simulacra.run import Run


def write_report(run: Run) -> Path:
    """Write `report.html` into the run folder, whole or not at all; the same run gives the same bytes.

    It shows the cards of the model's capabilities that the data suit. Where the data cannot be read it says
    so and leaves out the cards that need them.

    Returns:
        The file.

    Raises:
        RunError: there is no run, it has no weights, or the file cannot be written.
    """
    material = gather(run)
    path = run.path / "report.html"
    write_text(path, _page(material))
    return path


def _page(m: Material[Any]) -> str:
    config, run = m.config, str(m.run)
    return render(
        "report.html",
        title=m.run.path.resolve().name,
        summary=summary(config, m.run.step),
        missing=_missing(m),
        numbers_of_run=numbers_of(m.run),
        most_columns=SHOWN,
        evaluate=["simulacra", "evaluate", shlex.quote(run)],
        **_training(m.run),
        cards=_placed(_cards(m)),
        data=data_section(m),
        settings=_settings(m),
        train=shlex.split(command(config, run)),
        origin=_origin(m),
        commands=[
            ["simulacra", *words]
            for words in [["evaluate", run], *commands(m.model, run, config.source, config.training.seed)]
        ],
    )


def _missing(m: Material[Any]) -> str:
    if m.data is None:
        return f"The data could not be read, so the cards that need them are left out. {m.missing}"
    if m.held is None:
        return f"{m.data.name} has no held-out examples, so the cards that need some are left out."
    return ""


def _training(run: Run) -> dict[str, Any]:
    """The curves of a training with their meanings, its warnings, and notes on them."""
    best, steps = kept(run), run.step
    # the last weights need no mark
    best = None if best == steps else best
    events = run.events()
    notes = []
    if best is not None:
        notes.append(f"The weights are those of step {best:,}, dotted, where the validation loss was lowest.")
    if scores := curves.last_scores(events):
        notes.append(describe_scores(scores[-1]))
    charts = curves.curves(events, best)
    return {
        "curves": [
            (chart(figure, f"{metric(term).label} by step"), _sentence(metric(term).described({})))
            for term, figure in charts.items()
        ],
        "warnings": [event for event in events if event["event"] == "warning"],
        "notes": notes,
    }


def _sentence(text: str) -> str:
    return text and f"{text[0].upper()}{text[1:]}."


def _cards(m: Material[Any]) -> list[ReportCard]:
    """The cards of all capabilities of the model, general ones first, those of its latent space last."""
    kinds = [kind for kind in type(m.model).__mro__ if issubclass(kind, Capability)]
    modules = dict.fromkeys(kind.cards for kind in sorted(kinds, key=lambda k: len(k.__mro__)) if kind.cards)
    makers = [
        make
        for module in sorted(modules, key=lambda module: module == Decodes.cards)
        for kind, several in import_module(module).CARDS.items()
        if kind in kinds
        for make in several
    ]
    return [card for make in makers if (card := make(m)) is not None]


def _placed(cards: Sequence[ReportCard]) -> list[tuple[ReportCard, str]]:
    """Each card with its CSS class: `wide`, `alone` in a row of two columns, or none.

    >>> a, b = (ReportCard(name, "", "", "", wide=name == "b") for name in "ab")
    >>> [css for _, css in _placed([a, a, a, b, a])]
    ['', '', 'alone', 'wide', 'alone']
    """
    placed: list[tuple[ReportCard, str]] = []
    left = True
    for i, card in enumerate(cards):
        last = i + 1 == len(cards) or cards[i + 1].wide
        placed.append((card, "wide" if card.wide else "alone" if left and last else ""))
        left = card.wide or not left
    return placed


def _settings(m: Material[Any]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Headings, settings, and those that differ from their defaults."""
    config = m.config
    data = {"source": config.source, **to_dict(config.options), **_described(config.spec)}
    if config.spec.target is not None:
        target = _described(config.spec.target)
        data |= {f"target {name}": target[name] for name in ("kind", "shape", "columns")}
    return [
        ("Model", {"name": config.model, **to_dict(config.config)}, changed(config.config)),
        ("Data", data, changed(config.options)),
        ("Training", to_dict(config.training), retrained(config)),
    ]


def _described(spec: DataSpec) -> dict[str, Any]:
    """What one example is; long lists of names shortened."""
    columns = spec.columns if spec.schema is None else [column.name for column in spec.schema.columns]
    several = {"classes": spec.classes, "attributes": spec.attributes, "columns": columns}
    names = {key: listed(value) for key, value in several.items()}
    return {"kind": spec.kind, "shape": to_dict(spec)["shape"], **names}


def _origin(m: Material[Any]) -> str:
    again = (
        "Its weights are those of the initialisation, not trained."
        if m.model.untrained
        else "In the same folder the command finds this training finished; another --out trains again."
    )
    made_with = ", ".join(f"{name} {number}" for name, number in versions(m.run).items())
    return (
        f"{again} Seed {m.config.training.seed}; {made_with}. The same seed, versions and machine give"
        " bit-identical results on a CPU."
    )
