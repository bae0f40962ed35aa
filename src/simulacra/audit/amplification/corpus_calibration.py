"""Corpus-level calibration: groups predicted anew, so that shares stay near those of training.

RBA, reducing bias amplification (Zhao et al. 2017, section 4).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simulacra.audit.amplification.measures import GROUP, MOST_OBJECTS, OBJECT, Leanings, Tables
from simulacra.audit.amplification.sections import away, scatter
from simulacra.audit.shared.findings import Estimate, Finding, Plot, Section
from simulacra.audit.shared.intervals import paired, wilson
from simulacra.audit.shared.phrasing import amount, told
from simulacra.audit.shared.source import Field, Group, Source
from simulacra.errors import ConfigError, nearest
from simulacra.files import replacing

# steps of the relaxation at most; an object is done when no assignment could cost less by more than the
# tolerance, or its steps have become too short to move a row
STEPS, TOLERANCE = 500, 0.01
DECAY, SHORTEST = 0.9, 0.1
# groups score so much more at most, by lot, what was said most: rows that score the same are told apart
TIE = 1e-3
# what p = 0 is taken for
LEAST = 1e-12
# by how much probabilities of a row may miss 1
ROUNDING = 1e-3
# rows that are calibrated at once: all of them are held in memory
MOST_ROWS = 2_000_000


@dataclass(frozen=True)
class Calibrated:
    """What the relaxation found.

    Attributes:
        y: the group of every row, int `(N,)`.
        violation: by how much the share of a group is outside the margin, of every object, `(O,)`.
        score: what the rows of every object score, `(O,)`.
        bound: what no assignment within the margin can score more than, `(O,)`.
    """

    y: np.ndarray
    violation: np.ndarray
    score: np.ndarray
    bound: np.ndarray


def calibrate(
    f: np.ndarray, place: np.ndarray, target: np.ndarray, margin: float, steps: int = STEPS
) -> Calibrated:
    """The groups with the highest total score whose shares are within the margin of the targets.

    max_y sum_i f_i(y_i) such that |b~(o, g) - b*(o, g)| <= margin for all o and g, by Lagrangian relaxation
    (Zhao et al. 2017, section 4). The step is normalised and decays: violations are shares, their vector is
    divided by its length, and each time it turns round steps become shorter by a tenth. A fixed step on
    counts, as in the paper's code, grows with the rows and jumps across the margin forever. Objects do not
    bear on each other, so each has steps of its own and keeps its best assignment: the least violation, then
    the highest score.

    >>> f = np.log([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    >>> calibrate(f, np.zeros(4, int), np.array([[0.5, 0.5]]), 0.05).y.tolist()
    [0, 0, 1, 1]

    Args:
        f: score of every group, `(N, G)`, finite.
        place: the object of every row, int `(N,)`.
        target: b*(o, g), `(O, G)`; a row of NaN leaves the object as it is.
        margin: how far a share may be off.
        steps: at most so many.
    """
    (N, G), size = f.shape, len(target)
    rows, n = np.arange(N), np.bincount(place, minlength=size)
    bound_to = ~np.isnan(target).any(axis=1) & (n > 0)
    goal = np.where(bound_to[:, None], target, 0.5)
    # how much there is to gain or lose in a row
    reach = np.bincount(place, f.max(axis=1) - f.min(axis=1), size) / np.maximum(n, 1)
    # lambda+ of shares above the margin, lambda- of those below it
    multipliers = np.zeros((size, 2 * G))
    best, free = f.argmax(axis=1), np.bincount(place, f.max(axis=1), size)
    violation, score, bound = np.full(size, np.inf), np.full(size, -np.inf), np.full(size, np.inf)
    going, step, last = np.ones(size, dtype=bool), reach.copy(), np.zeros((size, 2 * G))
    # a row inside of the margin: of several shares at its edge, whole rows push one across
    inner = np.maximum(margin - 1 / np.maximum(n, 1), margin / 2)[:, None]
    for _ in range(steps):
        # y_i = argmax_g f_i(g) - (lambda+ - lambda-)(o_i, g)
        upper, lower = multipliers[:, :G], multipliers[:, G:]
        reduced = f - (upper - lower)[place]
        y = reduced.argmax(axis=1)
        share = np.bincount(place * G + y, minlength=size * G).reshape(size, G) / np.maximum(n, 1)[:, None]
        off = np.where(bound_to[:, None], np.abs(share - goal), 0).max(axis=1)
        off = np.where(off > margin, off - margin, 0)
        worth = np.bincount(place, f[np.arange(len(y)), y], size)
        # L(lambda) = sum_i max_g reduced + n sum_g lambda+ (b* + margin) - lambda- (b* - margin)
        limit = n * (upper * (goal + margin) - lower * (goal - margin)).sum(axis=1)
        dual = np.bincount(place, reduced.max(axis=1), size) + limit
        better = going & ((off < violation) | ((off == violation) & (worth > score)))
        chosen = better[place]
        best[rows[chosen]] = y[chosen]
        violation, score = np.where(better, off, violation), np.where(better, worth, score)
        bound = np.where(going, np.minimum(bound, dual), bound)
        # of nothing lost, rounding is left
        near = bound - score <= TOLERANCE * (free - score) + 1e-9 * np.abs(free)
        # lambda <- max(0, lambda + eta_t v / |v|); multipliers at 0 do not go below it
        v = np.concatenate([share - goal - inner, goal - inner - share], axis=1)
        v = np.where((multipliers == 0) & (v < 0), 0, v)
        step = np.where((v * last).sum(axis=1) < 0, DECAY * step, step)
        length, last = np.sqrt((v**2).sum(axis=1)), v
        eta = bound_to * step / np.where(length > 0, length, 1)
        multipliers = np.maximum(0, multipliers + eta[:, None] * v)
        going &= ((violation > 0) | ~near) & (step * n > SHORTEST * np.minimum(reach, TIE))
        if not going.any():
            break
        if (left := going[place]).mean() < 0.5:
            rows, f, place = rows[left], f[left], place[left]
    return Calibrated(best, violation, score, bound)


@dataclass(frozen=True)
class Rows:
    """The rows of a table of predictions that can be calibrated.

    Attributes:
        number: of every row in the table, from 1, `(N,)`.
        place: its object among those of training that are large enough, -1 for others, `(N,)`.
        said: the group predicted, `(N,)`.
        f: score of every group, `(N, G)`.
        true: the group it really was, `(N,)`; None where nobody knows.
    """

    number: np.ndarray
    place: np.ndarray
    said: np.ndarray
    f: np.ndarray
    true: np.ndarray | None


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
    source: Source, tables: Tables, found: Leanings, true: str | None, scores: Mapping[str, str]
) -> Rows:
    """Every row of a table of predictions; without scores all groups score the same.

    Raises:
        DataError: a cell cannot be used, probabilities do not add up to 1, or there are too many rows.
    """
    groups = {name: g for g, name in enumerate(tables.groups)}
    objects = {name: o for o, name in enumerate(found.objects)}
    fields: dict[str, Field] = {
        OBJECT: Group(source.column(tables.names[OBJECT]), MOST_OBJECTS),
        GROUP: source.group(tables.names[GROUP]),
    }
    if true is not None:
        fields["true"] = source.group(true)
    fields |= {f"p{groups[group]}": source.probability(column) for group, column in scores.items()}
    parts: list[tuple[np.ndarray, ...]] = []
    for part in source.parts(fields):
        if source.rows > MOST_ROWS:
            raise source.error(
                f"more than {MOST_ROWS:,} rows are too many to be calibrated at once; split the table, each "
                "object whole"
            )
        said = part[GROUP].map(groups).to_numpy(dtype=np.int64)
        if scores:
            f = np.log(np.maximum(_probabilities(source, part.index.to_numpy(), part, len(groups)), LEAST))
        else:
            f = np.zeros((len(part), len(groups)))
        place = part[OBJECT].map(lambda name: objects.get(name, -1)).to_numpy(dtype=np.int64)
        was = part["true"].map(groups).to_numpy(dtype=np.int64) if true is not None else said
        parts.append((part.index.to_numpy(), place, said, f, was))
    number, place, said, f, was = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Rows(number, place, said, f, was if true is not None else None)


def _probabilities(source: Source, number: np.ndarray, part: Mapping[str, object], G: int) -> np.ndarray:
    p = np.stack([np.asarray(part[f"p{g}"]) if f"p{g}" in part else np.full(len(number), np.nan)
                  for g in range(G)], axis=1)  # fmt: skip
    total = np.nansum(p, axis=1)
    left = np.isnan(p).any(axis=0)
    wrong = total > 1 + ROUNDING if left.any() else np.abs(total - 1) > ROUNDING
    if wrong.any():
        i = int(wrong.argmax())
        raise source.error(f"row {number[i]}: the probabilities add up to {total[i]:.4g}, not to 1")
    p[:, left] = np.maximum(0, 1 - total)[:, None]
    return p


def rewrite(source: Source, column: str, changed: Mapping[int, str], out: Path) -> None:
    """The same table with other groups in some rows; rows count from 1, empty lines do not.

    Raises:
        RunError: it cannot be written.
    """
    place = source.names.index(column)
    with (
        replacing(out) as temporary,
        source.path.open(encoding="utf-8-sig", newline="") as old,
        temporary.open("w", encoding="utf-8", newline="") as new,
    ):
        rows = filter(any, csv.reader(old, delimiter=source.separator, strict=True, skipinitialspace=True))
        writer = csv.writer(new, delimiter=source.separator, lineterminator="\n")
        writer.writerow(next(rows))
        for number, row in enumerate(rows, 1):
            if number in changed:
                row[place] = changed[number]
            writer.writerow(row)


def section(
    source: Source,
    tables: Tables,
    found: Leanings,
    margin: float,
    true: str | None,
    score: str | None,
    out: Path,
) -> Section:
    """Calibrate a table of predictions, write it, and say what that did.

    Args:
        source: the predictions.
        tables: counts.
        found: objects that are large enough; the others are left as they are.
        margin: how far a share may be from that of training.
        true: column of the group it really was.
        score: `GROUP=COL,GROUP=COL`, columns of probabilities; None where there are none.
        out: where the table goes.

    Raises:
        ConfigError: `score` cannot be used.
        DataError: the table cannot.
        RunError: `out` cannot be written.
    """
    scores = parse(score, tables.groups, source) if score is not None else {}
    rows = read_rows(source, tables, found, true, scores)
    here = np.flatnonzero(rows.place >= 0)
    y, G = rows.said.copy(), len(tables.groups)
    if len(here):
        f = rows.f[here] + TIE / 2 * np.random.default_rng(0).random((len(here), G))
        f[np.arange(len(here)), y[here]] += TIE / 2
        y[here] = calibrate(f, rows.place[here], found.bias(), margin).y
    moved = np.flatnonzero(y != rows.said)
    rewrite(source, tables.names[GROUP], {int(rows.number[i]): tables.groups[y[i]] for i in moved}, out)
    counts = np.bincount(rows.place[here] * G + y[here], minlength=found.pred.size).reshape(found.pred.shape)
    after = replace(found, pred=counts)
    what, n = tables.names[OBJECT], len(y)
    limits = (
        "That those whose group was changed are right now: nobody was looked at again. What training leans "
        "towards it leaves as it is, and holds for these rows together, not for any part of them."
    )
    if not scores:
        limits += " Without --score, who is changed is drawn by lot; that is nothing to act on."
    old, new = (int(one.violations(margin).sum()) for one in (found, after))
    changed = wilson(len(moved), n)
    more = {"before": Estimate(old), "changed": changed}
    sentence = (
        f"Calibrated to within {amount(margin)} of training, {new:,} of {len(found.objects):,} values of "
        f"{what} are further away, instead of {old:,}. {len(moved):,} of {n:,} rows got another "
        f"{tables.names[GROUP]}"
    )
    if (other := int((rows.f[here].argmax(axis=1) != rows.said[here]).sum())) and scores:
        limits += f" Of {other:,} rows the predicted group was not the most probable one to begin with."
    if scores and len(moved):
        p = [float(np.exp(rows.f[moved, g[moved]]).mean()) for g in (rows.said, y)]
        more |= {"probability-before": Estimate(p[0]), "probability-after": Estimate(p[1])}
        sentence += f", one of probability {amount(p[1])} on average instead of {amount(p[0])}"
    note = (
        f"Groups were predicted anew so that all shares stay near those of training at the least loss of "
        f"score (RBA, Zhao et al. 2017); objects stay as predicted. The table is in {out}."
    )
    title = "What calibrating does"
    off = f"values of {what} that are off by more than {amount(margin)}"
    if not found.objects:
        words = f"Calibrated shares: withheld, no {what} has rows enough in both tables; nothing was changed."
        return Section(
            "rba", title, "predictions", [Finding("rba.violations", words, "withheld", limits, off)]
        )
    findings = [
        Finding("rba.violations", f"{sentence}.", "stated", limits, off, Estimate(new), n, more, "rba")
    ]
    if found.leans.any():
        before, e = found.amplification(), after.amplification()
        findings.append(
            Finding(
                "rba.amplification",
                f"On average the predictions then lean {away(e)} than training, instead of "
                f"{amount(abs(before.value))} {'further' if before.value >= 0 else 'less'}.",
                "finding" if e.ends[0] > 0 else "no finding",
                limits,
                "mean amplification after calibrating",
                e,
                int(after.pred.sum()),
                {"before": before, "amplified": Estimate(after.amplified())},
                "rba",
            )
        )
    caption = f"A point for each {what}, as above, after calibrating. Dotted: {amount(margin)} away."
    plot = Plot("rba", "After calibrating", scatter(after, margin), caption)
    findings.append(_accuracy(rows, y, tables, limits))
    return Section("rba", title, "predictions", findings, [plot], notes=[note])


def _accuracy(rows: Rows, y: np.ndarray, tables: Tables, limits: str) -> Finding:
    what, group = "share of right groups gained by calibrating", tables.names[GROUP]
    if rows.true is None:
        words = f"Whether more or fewer are right now: withheld, --true-group names the real {group}."
        return Finding("rba.accuracy", words, "withheld", limits, what)
    old, new, n = rows.said == rows.true, y == rows.true, len(y)
    k, k_old = int(new.sum()), int(old.sum())
    e = paired(int((old & new).sum()), k, k_old, n)
    return Finding(
        "rba.accuracy",
        f"The {group} is right in {k:,} of {n:,} rows, instead of {k_old:,}: difference {told(e)}."
        + (" The data are compatible with no difference." if e.holds(0) else ""),
        "no finding" if e.holds(0) else "finding",
        limits,
        what,
        e,
        n,
        {"before": wilson(k_old, n), "after": wilson(k, n)},
        "rba",
    )
