"""The data section of a report: where the data are from, how they are split, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from simulacra.data import SPLITS, TABLES, Data, parse
from simulacra.data.leaks import leak
from simulacra.data.sources.tables import open_table
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.splits import split_rule
from simulacra.data.tables.schema import Column
from simulacra.data.text.summary import lengths_of, unknown_share
from simulacra.metrics.neighbours import copies, duplicates
from simulacra.report import figures
from simulacra.report.inline_images import chart
from simulacra.report.material import Material
from simulacra.report.numbers import examples, listed, written
from simulacra.run import RunConfig

# columns that are described, and categories of each
COLUMNS, CATEGORIES = 100, 5

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class DataSection:
    """What the section shows.

    Attributes:
        facts: names and sentences.
        chart: how many examples each class has; empty without classes.
        header: of the table of columns.
        columns: its rows, of the training split; empty without named columns.
        more: columns that are not listed.
        leak: a sentence about test examples that are near-copies of training examples; empty if none are.
    """

    facts: Facts
    chart: Markup
    header: tuple[str, ...]
    columns: list[tuple[str, ...]]
    more: int
    leak: str


def data_section(m: Material[Any]) -> DataSection:
    """The section of a run; without its data, what its config says about them."""
    config, data = m.config, m.data
    facts = [("source", config.source), ("examples", examples(config))]
    if data is None:
        facts.append(("splits", "unknown, since the data could not be read"))
    else:
        facts.append(("splits", _sizes(data)))
    facts.append(("split by", split_rule(config.options)))
    if data is not None:
        facts += [*_duplicates(data), *_left_out(data, config)]
    spec = config.spec
    if data is not None and spec.vocabulary is not None:
        facts += _sentences(data)
    facts += [(name, listed(names)) for name, names in (("attributes", spec.attributes),) if names]
    counts = _classes(data, spec) if data is not None else Markup()
    if spec.classes and not counts:
        facts.append((f"{len(spec.classes):,} classes", listed(spec.classes)))
    rows = [] if data is None else columns(data.train)
    return DataSection(
        facts,
        counts,
        ("column", "holds", "mean (standard deviation)", "range", "missing"),
        rows[:COLUMNS],
        max(0, len(rows) - COLUMNS),
        "" if data is None else leak(data, config.options) or "",
    )


def _sizes(data: Data) -> str:
    sizes = [len(data.split(split)) for split in SPLITS]
    each = [
        f"{size:,} {split} ({100 * size / sum(sizes):.0f}%)"
        for size, split in zip(sizes, SPLITS, strict=True)
    ]
    return f"{', '.join(each)}; {sum(sizes):,} in all"


def _sentences(data: Data) -> Facts:
    """Lengths of the training sentences, and shares of unknown words."""
    lengths = ", ".join(f"{name} {n}" for name, n in lengths_of(data.train.x).items())
    shares = [f"{100 * unknown_share(data.split(name).x):.2f}% of {name}" for name in SPLITS]
    return [("tokens, quantiles", lengths), ("unknown tokens", ", ".join(shares))]


def _duplicates(data: Data) -> Facts:
    """Exact duplicates, of inputs alone."""
    found = [(duplicates(data.train.x), len(data.train), "training examples are equal to an earlier one")]
    for split in SPLITS[1:]:
        held = data.split(split).x
        found.append(
            (copies(held, data.train.x), len(held), f"{split} examples are equal to a training example")
        )
    text = "; ".join(f"{count:,} of {n:,} {what}" for count, n, what in found if count)
    return [("duplicates", text or "none, neither in the training split nor across splits")]


def _left_out(data: Data, config: RunConfig) -> Facts:
    """Near-copies among images, and files, rows and columns that are not used."""
    facts = []
    if data.copies is not None:
        images = len(np.unique(data.copies))
        facts.append(
            ("near-copies", f"{images:,} images are near-copies of others" if images else "none found")
        )
    lost = len(data.names) - sum(len(data.split(split)) for split in SPLITS)
    notes = [f"{lost:,} files that cannot be used"] if data.names and lost else []
    spec = config.spec
    name, path, _ = parse(data.name)
    if name in TABLES and spec.schema is not None:
        # a target that is words has no columns, but classes
        used = {column.name for column in spec.schema.columns} | {config.options.target}
        used |= set() if spec.target is None else {*spec.target.columns}
        if unused := [column for column in open_table(name, path).names if column not in used]:
            notes.append(f"columns of the file that are no inputs: {listed(unused)}")
    if notes := [*notes, *data.notes]:
        facts.append(("left out", "; ".join(notes)))
    return facts


def _classes(data: Data, spec: DataSpec) -> Markup:
    """A chart of the examples of each class in each split."""
    counts = {split: np.array(data.split(split).class_counts) for split in SPLITS}
    if not spec.classes or data.spec.classes != spec.classes or not sum(c.sum() for c in counts.values()):
        return Markup()
    total = np.sum([*counts.values()], axis=0)
    each = ", ".join(
        f"{name} {count:,}" for name, count in zip(spec.classes[:COLUMNS], total.tolist(), strict=False)
    )
    return chart(figures.class_counts(spec.classes, counts), f"examples of each class: {each}")


def columns(train: Dataset) -> list[tuple[str, ...]]:
    """A row of text for each column of a table, and for each target, of its training rows.

    >>> spec = DataSpec("vector", (1,), columns=("age",))
    >>> columns(Dataset(spec, np.array([[20.0], [40.0]], np.float32)))
    [('age', 'number', '30.00 (10.00)', '20 to 40', '')]
    """
    spec = train.spec
    rows = [_column(column, values) for column, values in _columns(spec, train.x)]
    if spec.target is not None and spec.target.columns and train.target is not None:
        found = _columns(spec.target, train.target)
        rows += [(f"{name} (target)", *others) for column, values in found
                 for name, *others in [_column(column, values)]]  # fmt: skip
    return rows


def _columns(spec: DataSpec, x: np.ndarray) -> list[tuple[Column, np.ndarray]]:
    """Each column with its numbers in x, `(N, width)`."""
    if spec.schema is None:
        return [(Column(name, "number"), x[:, [i]]) for i, name in enumerate(spec.columns)]
    return [
        (block.column, x[:, block.start : block.start + block.column.width]) for block in spec.schema.blocks
    ]


def _column(column: Column, x: np.ndarray) -> tuple[str, ...]:
    states = column.states
    share = dict(zip(states, x[:, column.continuous :].mean(axis=0).tolist(), strict=True))
    missing = share.get("", 0.0)
    gaps = f"{100 * missing:.1f}%" if missing else ""
    if not column.continuous:
        most = sorted(((p, name) for name, p in share.items() if name), reverse=True)
        each = ", ".join(f"{figures.shortened(name)} {100 * p:.0f}%" for p, name in most[:CATEGORIES])
        more = f" and {len(most) - CATEGORIES:,} more" if len(most) > CATEGORIES else ""
        return column.name, f"{len(most):,} categories: {each}{more}", "", "", gaps
    known = x[:, 0] if "" not in states else x[x[:, 1 + states.index("")] == 0, 0]
    special = [f"{value} in {100 * share[value]:.0f}%" for value in column.special if value]
    holds = ", ".join([column.kind, *special])
    if not len(known):
        return column.name, holds, "", "", gaps
    low, high = float(known.min()), float(known.max())
    if column.kind == "date":
        first, last = column.cells(np.array([low, high]))
        return column.name, holds, "", f"{first} to {last}", gaps
    mean, std = written(float(known.mean(dtype=np.float64))), written(float(known.std(dtype=np.float64)))
    return column.name, holds, f"{mean} ({std})", f"{low:.6g} to {high:.6g}", gaps
