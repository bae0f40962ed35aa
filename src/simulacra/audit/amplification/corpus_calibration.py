"""Corpus-level calibration (RBA): groups predicted anew, with shares near training's; Zhao et al. 2017."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import linprog

from simulacra.audit.amplification.bias_amplification import Bias, format_change, scatter
from simulacra.audit.amplification.tables import GROUP, MOST_OBJECTS, OBJECT, Tables
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section, conclude
from simulacra.audit.shared.intervals import paired_of, wilson
from simulacra.audit.shared.phrasing import amount, format_estimate
from simulacra.audit.shared.source import Field, Group, Source
from simulacra.data.tables.text import escape
from simulacra.errors import ConfigError, nearest

# the largest random bonus of a group's score, and of the predicted group's: they break ties
TIE = 1e-3
# replaces p = 0 before the logarithm
LEAST = 1e-12
# by how much probabilities of a row may miss 1
ROUNDING = 1e-3
# rows that are calibrated at once: all of them are held in memory
MOST_ROWS = 2_000_000


def calibrate(f: np.ndarray, place: np.ndarray, target: np.ndarray, margin: float) -> np.ndarray:
    """The groups with the highest total score whose shares are within the margin of the targets.

    max_y sum_i f_i(y_i) such that |b~(o, g) - b*(o, g)| <= margin for all o and g (Zhao et al. 2017,
    section 4, where it is solved approximately by Lagrangian relaxation). Objects are independent problems;
    each is solved exactly. Where no shares of whole rows are within the margin, it is as wide as it must be.

    >>> f = np.log([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    >>> calibrate(f, np.zeros(4, int), np.array([[0.5, 0.5]]), 0.05).tolist()
    [0, 0, 1, 1]

    Args:
        f: score of every group, `(N, G)`, finite.
        place: the object of every row, int `(N,)`.
        target: b*(o, g), `(O, G)`.
        margin: how far a share may be off.

    Returns:
        The group of every row, int `(N,)`.
    """
    y = f.argmax(axis=1)
    for o, rows in pd.Series(place).groupby(place).indices.items():
        y[rows] = _assign(f[rows], target[o], margin)
    return y


def _assign(f: np.ndarray, target: np.ndarray, margin: float) -> np.ndarray:
    n, G = f.shape
    # the counts nearest to the targets, by largest remainders
    k = np.floor(n * target).astype(int)
    k[np.argsort(k - n * target)[: n - k.sum()]] += 1
    margin = max(margin, float(np.abs(k / n - target).max()))
    inside = np.abs(np.arange(n + 1)[:, None] / n - target) <= margin
    least, most = inside.argmax(axis=0), n - inside[::-1].argmax(axis=0)
    y = f.argmax(axis=1)
    k = np.bincount(y, minlength=G)
    if ((least <= k) & (k <= most)).all():
        return y
    if G == 2:
        # the rows that gain most get the second group
        ones = np.clip(k[1], max(least[1], n - most[0]), min(most[1], n - least[0]))
        y[np.argsort(f[:, 0] - f[:, 1], kind="stable")] = np.arange(n) < ones
        return y
    # max sum f x with x(i, g) >= 0, sum_g x(i, g) = 1 and least(g) <= sum_i x(i, g) <= most(g): the matrix is
    # that of a network, totally unimodular, so that vertices are integers
    counts = sparse.kron(np.ones((1, n)), sparse.identity(G))
    solved = linprog(
        -f.ravel(),
        A_ub=sparse.vstack([counts, -counts]),
        b_ub=np.concatenate([most, -least]),
        A_eq=sparse.kron(sparse.identity(n), np.ones((1, G))),
        b_eq=np.ones(n),
        method="highs-ipm",
    )
    return np.asarray(solved.x.reshape(n, G).argmax(axis=1))


def parse(text: str, groups: Sequence[str], source: Source) -> dict[str, str]:
    """`GROUP=COL,GROUP=COL`: the column of every group's probability; one group may be left out.

    Raises:
        ConfigError: something else, or an unknown group.
        DataError: an unknown column.
    """
    columns: dict[str, str] = {}
    for part in text.split(","):
        group, sign, column = (piece.strip() for piece in part.partition("="))
        if not sign:
            raise ConfigError(
                f"score: '{part}' is not GROUP=COL; write for example {groups[0]}=p_{groups[0]}"
            )
        if group not in groups:
            raise ConfigError(f"score: there is no group '{group}', {nearest(group, groups)}")
        columns[group] = source.column(column)
    if len(columns) < len(groups) - 1:
        lost = next(group for group in groups if group not in columns)
        raise ConfigError(f"score: name the probability of '{lost}' too; one group only may be left out")
    return columns


def read_rows(
    source: Source, tables: Tables, bias: Bias, true: str | None, scores: Mapping[str, str]
) -> tuple[pd.DataFrame, np.ndarray]:
    """Every row of a table of predictions, and the score of every group; without `scores` all score 0.

    Returns:
        `object` (-1 where it is left out), `group` and `true`, int; the index counts rows from 1. And f
        `(N, G)`.

    Raises:
        DataError: a cell cannot be used, probabilities do not add up to 1, or there are too many rows.
    """
    groups = {name: g for g, name in enumerate(tables.groups)}
    objects = {name: o for o, name in enumerate(bias.objects)}
    fields: dict[str, Field] = {
        OBJECT: Group(source.column(tables.names[OBJECT]), MOST_OBJECTS),
        GROUP: source.group(tables.names[GROUP]),
    }
    if true is not None:
        fields["true"] = source.group(true)
    fields |= {f"p{groups[group]}": source.probability(column) for group, column in scores.items()}
    parts = []
    for part in source.parts(fields):
        if source.rows > MOST_ROWS:
            raise source.error(
                f"more than {MOST_ROWS:,} rows are too many to be calibrated at once; split the table, each "
                "object whole"
            )
        codes = {OBJECT: part[OBJECT].map(objects).fillna(-1).astype(int)}
        codes |= {key: part[key].map(groups).astype(int) for key in (GROUP, "true") if key in part}
        parts.append(part.assign(**codes))
    rows = pd.concat(parts)
    if not scores:
        return rows, np.zeros((len(rows), len(groups)))
    p = rows.reindex(columns=[f"p{g}" for g in range(len(groups))]).to_numpy(copy=True)
    total, left = np.nansum(p, axis=1), np.isnan(p).any(axis=0)
    wrong = total > 1 + ROUNDING if left.any() else np.abs(total - 1) > ROUNDING
    if wrong.any():
        i = int(wrong.argmax())
        raise source.error(f"row {rows.index[i]}: the probabilities add up to {total[i]:.4g}, not to 1")
    p[:, left] = np.maximum(0, 1 - total)[:, None]
    return rows, np.log(np.maximum(p, LEAST))


def rewrite(source: Source, column: str, changed: Mapping[int, str], out: Path) -> None:
    """Write the same table with other groups in some rows; rows count from 1, empty lines do not."""
    place = source.names.index(column)
    with (
        source.path.open(encoding="utf-8-sig", newline="") as old,
        out.open("w", encoding="utf-8", newline="") as new,
    ):
        rows = filter(any, csv.reader(old, delimiter=source.separator, strict=True, skipinitialspace=True))
        writer = csv.writer(new, delimiter=source.separator, lineterminator="\n")
        writer.writerow(map(escape, next(rows)))
        for number, row in enumerate(rows, 1):
            row[place] = changed.get(number, row[place])
            writer.writerow(map(escape, row))


def section(
    source: Source, tables: Tables, bias: Bias, margin: float, true: str | None, score: str | None, out: Path
) -> tuple[Section, Callable[[Path], None]]:
    """Calibrate a table of predictions, and report what changed; also what writes it to a path.

    Args:
        source: the predictions.
        tables: counts.
        bias: objects that have enough rows; the others are left as they are.
        margin: how far a share may be from that of training.
        true: column of the true group.
        score: `GROUP=COL,GROUP=COL`, columns of probabilities; None where there are none.
        out: where the table will go, for the report.

    Raises:
        ConfigError: `score` cannot be used.
        DataError: the table cannot.
    """
    scores = parse(score, tables.groups, source) if score is not None else {}
    rows, f = read_rows(source, tables, bias, true, scores)
    place, said = rows[OBJECT].to_numpy(), rows[GROUP].to_numpy()
    here, y, n = np.flatnonzero(place >= 0), said.copy(), len(rows)
    if len(here):
        tied = f[here] + TIE / 2 * np.random.default_rng(0).random((len(here), len(tables.groups)))
        tied[np.arange(len(here)), said[here]] += TIE / 2
        y[here] = calibrate(tied, place[here], bias.share(), margin)
    moved = np.flatnonzero(y != said)
    changed = {int(rows.index[i]): tables.groups[y[i]] for i in moved}
    write = partial(rewrite, source, tables.names[GROUP], changed)
    what, title = tables.names[OBJECT], "What does calibration change?"
    off = f"values of {what} that are off by more than {amount(margin)}"
    limits = (
        "That the changed groups are right: nobody checked them. What training is biased towards stays, and "
        "shares hold for all these rows together, not for any part of them."
    )
    if not scores:
        limits += " Without --score, the rows to change are drawn at random: do not act on them."
    elif other := int((f[here].argmax(axis=1) != said[here]).sum()):
        limits += f" In {other:,} rows the predicted group was not the most probable one to begin with."
    if not bias.objects:
        sentence = (
            f"Calibrated shares: withheld, no {what} has enough rows in both tables; nothing was changed."
        )
        withheld = Finding("rba.violations", sentence, "withheld", limits, off)
        return Section("rba", title, "predictions", [withheld]), write
    np.add.at(counts := np.zeros_like(bias.pred), (place[here], y[here]), 1)
    after = replace(bias, pred=counts)
    old, new = (int(one.violations(margin).sum()) for one in (bias, after))
    more = {"before": Estimate(old), "changed": wilson(len(moved), n)}
    sentence = (
        f"After calibration to within {amount(margin)} of training, {new:,} of {len(bias.objects):,} values "
        f"of {what} are further away, instead of {old:,}. {len(moved):,} of {n:,} rows got another "
        f"{tables.names[GROUP]}"
    )
    if scores and len(moved):
        p = [float(np.exp(f[moved, g[moved]]).mean()) for g in (said, y)]
        more |= {"probability-before": Estimate(p[0]), "probability-after": Estimate(p[1])}
        sentence += f", with a mean probability of {amount(p[1])} instead of {amount(p[0])}"
    findings = [
        Finding("rba.violations", f"{sentence}.", "stated", limits, off, Estimate(new), n, more, "rba")
    ]
    if bias.biased().any():
        before, e = bias.amplification(), after.amplification()
        sentence = (
            f"After calibration, bias is {format_change(e)} than in training on average, instead of "
            f"{amount(abs(before.value))} {'higher' if before.value >= 0 else 'lower'}."
        )
        number, k = "mean amplification after calibration", int(after.pred.sum())
        more = {"before": before, "amplified": Estimate(after.amplified())}
        findings.append(
            conclude(e.ends[0] > 0, "", "rba.amplification", sentence, limits, number, e, k, more, "rba")
        )
    findings.append(_accuracy(rows, y, tables.names[GROUP], limits))
    caption = f"A point for each {what}, as above, after calibration. Dotted: {amount(margin)} away."
    plot = Plot("rba", "After calibration", scatter(after, margin), caption)
    note = (
        "Groups were predicted anew so that all shares are near those of training with the least loss of "
        f"score (RBA, Zhao et al. 2017); objects stay as predicted. The table is in {out}."
    )
    return Section("rba", title, "predictions", findings, [plot], notes=[note]), write


def _accuracy(rows: pd.DataFrame, y: np.ndarray, group: str, limits: str) -> Finding:
    what = "share of right groups gained by calibration"
    if "true" not in rows:
        sentence = f"Whether more or fewer are right now: withheld, --true-group names the true {group}."
        return Finding("rba.accuracy", sentence, "withheld", limits, what)
    true, n = rows["true"].to_numpy(), len(y)
    old, new = rows[GROUP].to_numpy() == true, y == true
    k, k_old = int(new.sum()), int(old.sum())
    e = paired_of(new, old)
    sentence = (
        f"The {group} is right in {k:,} of {n:,} rows, instead of {k_old:,}: difference {format_estimate(e)}."
    )
    none = "The data are compatible with no difference."
    more = {"before": wilson(k_old, n), "after": wilson(k, n)}
    return conclude(not e.holds(0), none, "rba.accuracy", sentence, limits, what, e, n, more, "rba")
