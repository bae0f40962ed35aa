"""Report cards of models that sample rows of a table: rows in its own words, and every column."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simulacra.core.batch import random_subset
from simulacra.core.capabilities import Samples
from simulacra.core.inference import draw
from simulacra.data.spec import DataSpec
from simulacra.data.tables.schema import Column
from simulacra.metrics.tables import Values, column_fit, columns_of
from simulacra.report.clouds import limits, plain_ticks
from simulacra.report.figures import BLUE, GREY, shortened, single, style
from simulacra.report.inline_images import chart
from simulacra.report.material import Material
from simulacra.report.numbers import written
from simulacra.report.report_card import ReportCard
from simulacra.report.templating import render

# rows that are shown, columns of them, and columns that are drawn
ROWS, COLUMNS, DRAWN = 8, 60, 24
# bins of a number, categories of a column, letters of a cell
BINS, CATEGORIES, LETTERS = 30, 8, 40
# tables with fewer columns that are all numbers are shown as clouds alone
FEWEST = 3


def sampled_rows(m: Material[Samples]) -> ReportCard | None:
    """Sampled rows below held-out ones, as the table is written."""
    spec = m.config.spec
    if not _is_table(spec) or m.model.untrained:
        return None
    seed = m.config.training.seed
    groups = [] if m.held is None else [(f"rows of the {m.split} split", m.held.x[:ROWS])]
    groups.append(("samples", np.asarray(draw(m.model, ROWS, seed))))
    tables = [(title, _cells(spec, x)) for title, x in groups]
    names = list(tables[0][1])
    left = f" The first {COLUMNS} of {len(names):,} columns." if len(names) > COLUMNS else ""
    body = render(
        "rows.html",
        names=names[:COLUMNS],
        groups=[
            (
                title,
                [
                    [shortened(cell, LETTERS) for cell in row[:COLUMNS]]
                    for row in zip(*cells.values(), strict=True)
                ],
            )
            for title, cells in tables
        ],
    )
    caption = f"Not selected; seed {seed}.{left}"
    return ReportCard(
        "rows", "Sampled rows" if m.held is None else "Real and sampled rows", body, caption, True
    )


def column_charts(m: Material[Samples]) -> ReportCard | None:
    """The distribution of each column, of samples and of held-out rows."""
    spec = m.config.spec
    if not _is_table(spec) or m.model.untrained or m.data is None or m.held is None:
        return None
    seed, n = m.config.training.seed, len(m.held)
    samples = np.asarray(draw(m.model, n, seed))
    train = random_subset(m.data.train, n, seed).x
    schema = [Column(name, "number") for name in spec.columns] if spec.schema is None else spec.schema.columns
    drawn = []
    for column, made, real, known in zip(
        schema, *(columns_of(spec, x) for x in (samples, m.held.x, train)), strict=True
    ):
        fits = column_fit(made, real), column_fit(known, real)
        drawn.append((fits, column, made, real))
    which = ""
    if len(drawn) > DRAWN:
        drawn = sorted(drawn, key=lambda one: one[0][0])[:DRAWN]
        which = f" The {DRAWN} of {len(schema):,} columns with the lowest fit."
    charts = [
        (
            chart(column_chart(column, made, real), f"{column.name}: samples and {m.split} rows"),
            f"fit {fit:.3f}, real rows {of_real:.3f}",
        )
        for (fit, of_real), column, made, real in drawn
    ]
    caption = (
        f"{n:,} samples, and {n:,} rows of the {m.split} split. Fit: 1 - the distance of the two"
        " distributions (Kolmogorov-Smirnov for numbers, total variation for categories); beside it that of"
        f" {len(train):,} training rows.{which} Seed {seed}."
    )
    return ReportCard("columns", "Columns", render("charts.html", charts=charts), caption, True)


def _is_table(spec: DataSpec) -> bool:
    return spec.kind == "vector" and (spec.schema is not None or len(spec.columns) >= FEWEST)


def _cells(spec: DataSpec, x: np.ndarray) -> dict[str, list[str]]:
    """The cells of each column of rows `(N, D)`."""
    if spec.schema is not None:
        return spec.schema.decode(x)
    return {name: [written(float(value)) for value in x[:, i]] for i, name in enumerate(spec.columns)}


def column_chart(column: Column, samples: Values, real: Values) -> Figure:
    """The distribution of a column: a histogram of numbers, bars of categories.

    Args:
        column: what it holds.
        samples: its values in samples.
        real: its values in real rows.
    """
    with style():
        figure, axes = single(330, 240)
        figure.suptitle(shortened(column.name, LETTERS), x=0.005, ha="left")
        if real.categories:
            _bars(axes, column, samples, real)
        else:
            _histogram(axes, column, samples, real)
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower left", ncols=2, borderpad=0, handlelength=1)
    return figure


def _histogram(axes: Axes, column: Column, samples: Values, real: Values) -> None:
    both = [("real rows", GREY, real.values), ("samples", BLUE, samples.values)]
    known = [values[np.isfinite(values)] for _, _, values in both]
    low, high = limits(np.concatenate(known)[:, None]) if any(map(len, known)) else (np.zeros(1), np.ones(1))
    edges = np.linspace(low[0], high[0], BINS + 1)
    for (name, colour, values), present in zip(both, known, strict=True):
        share = 100 * np.histogram(present, edges)[0] / max(len(values), 1)
        filled = name == "real rows"
        axes.stairs(share, edges, color=colour, fill=filled, label=name, linewidth=1.6)
    axes.set_ylabel("share (%)")
    axes.grid(axis="y")
    if column.kind == "date":
        axes.locator_params(axis="x", nbins=3)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda day, _: column.cells(np.array([day]))[0]))
    else:
        plain_ticks(axes, 5)
    missing = [100 * float(np.isnan(values).mean()) for _, _, values in both]
    if any(missing):
        axes.set_xlabel(f"missing: {missing[1]:.1f}%, real rows {missing[0]:.1f}%")


def _bars(axes: Axes, column: Column, samples: Values, real: Values) -> None:
    """The largest categories of the real rows, and all others together."""
    shares = [100 * np.bincount(v.values, minlength=real.categories) / len(v.values) for v in (real, samples)]
    order = np.argsort(-shares[0], kind="stable")
    names = [column.states[k] or "missing" for k in order[:CATEGORIES]]
    values = [share[order[:CATEGORIES]] for share in shares]
    if len(order) > CATEGORIES:
        names.append(f"{len(order) - CATEGORIES:,} others")
        values = [
            np.append(top, share[order[CATEGORIES:]].sum()) for top, share in zip(values, shares, strict=True)
        ]
    places = np.arange(len(names))
    for label, colour, side, share in (
        ("real rows", GREY, -0.2, values[0]),
        ("samples", BLUE, 0.2, values[1]),
    ):
        axes.barh(places + side, share, height=0.4, color=colour, label=label)
    axes.set_yticks(places, [shortened(name) for name in names])
    # few bars stay slender
    axes.set_ylim(max(len(names), 4) - 0.4, -0.6)
    axes.set_xlabel("share (%)")
    axes.grid(axis="x")
