"""Who was selected, against a reference population: the tables and the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
import pandas as pd
from scipy.stats import norm

from simulacra.audit.shared.findings import LEVEL, Estimate
from simulacra.audit.shared.groups import Groups
from simulacra.audit.shared.intervals import combined, wilson
from simulacra.audit.shared.phrasing import join_words, shorten
from simulacra.audit.shared.source import Field, Source
from simulacra.errors import nearest

RATE, ASKED = "rate", "n"
# by how much shares of the reference may miss 1
ROUNDING = 0.005


@dataclass(frozen=True)
class Selection:
    """Everybody selected, and the reference.

    Attributes:
        column: the name of the groups' column in sentences.
        groups: the reference's, G of them.
        k: people selected, int `(G,)`.
        y: those of k with the outcome, int `(G,)`; None without an outcome.
        size: people, or shares of them, in the reference, `(G,)`.
        rate: how common it is what people are selected for, `(G,)`; None: the reference is everybody.
        asked: how many were asked to learn the rate, `(G,)`; None: it is exact.
    """

    column: str
    groups: tuple[str, ...]
    k: np.ndarray
    y: np.ndarray | None
    size: np.ndarray
    rate: np.ndarray | None
    asked: np.ndarray | None

    @property
    def n(self) -> int:
        """People selected."""
        return int(self.k.sum())

    @property
    def reference(self) -> np.ndarray:
        """r(g), the share of every group in the reference: in size times rate, `(G,)`."""
        weight = self.size if self.rate is None else self.size * self.rate
        return np.asarray(weight / weight.sum())

    @property
    def log_variance(self) -> np.ndarray:
        """Variance of the log of a rate that was estimated from n people, (1 - p) / (n p), `(G,)`."""
        if self.rate is None or self.asked is None:
            return np.zeros(len(self.groups))
        return np.asarray((1 - self.rate) / (self.asked * np.maximum(self.rate, 1e-300)))

    def large(self, minimum: int) -> list[int]:
        """The groups of which so many are selected, or would be by the reference."""
        return [int(g) for g in np.flatnonzero(np.maximum(self.k, self.n * self.reference) >= minimum)]

    def excess(self, g: int, level: float = LEVEL) -> Estimate:
        """Share selected less share of the reference."""
        r, v, z = self.reference, self.log_variance, float(norm.ppf((1 + level) / 2))
        # var r_g = r_g^2 ((1 - r_g)^2 v_g + sum_{h != g} r_h^2 v_h), of r_g = s_g / sum s
        terms = r**2 * v
        sd = r[g] * sqrt((1 - r[g]) ** 2 * v[g] + terms.sum() - terms[g])
        reference = Estimate(r[g], r[g] - z * sd, r[g] + z * sd)
        return combined([(1, wilson(int(self.k[g]), self.n, level)), (-1, reference)])

    def ratio(self, a: int, b: int, level: float = LEVEL) -> Estimate | None:
        """How many times as likely a is selected as b, by the reference; None where one has nobody.

        Given that one of the two is selected, it is a with probability p, and p / (1 - p) = ratio r_a / r_b:
        Wilson's interval of p, widened by the variance of the rates.
        """
        r, v = self.reference, self.log_variance
        if min(self.k[a], self.k[b], r[a], r[b]) <= 0:
            return None
        p = wilson(int(self.k[a]), int(self.k[a] + self.k[b]), level)
        value, low, high = (log(x / (1 - x) * r[b] / r[a]) for x in (p.value, *p.ends))
        wide = float(norm.ppf((1 + level) / 2)) ** 2 * (v[a] + v[b])
        down, up = sqrt((value - low) ** 2 + wide), sqrt((high - value) ** 2 + wide)
        return Estimate(exp(value), exp(value - down), exp(value + up))

    @property
    def weights(self) -> np.ndarray:
        """The weight of each person selected with which groups are as large as in the reference, `(G,)`.

        w(g) = r(g) / o(g) with r the reference among groups in which anybody is selected, o the shares
        selected; their mean over people is 1, and it is 0 where nobody is selected.
        """
        r = np.where(self.k > 0, self.reference, 0)
        o = self.k / self.n
        return np.asarray(np.divide(r / r.sum(), o, out=np.zeros(len(r)), where=o > 0))

    @property
    def effective(self) -> float:
        """The effective sample size (sum w)^2 / sum w^2 (Kish 1965)."""
        w = self.weights
        return float((self.k @ w) ** 2 / (self.k @ w**2))

    def shifted(self, odds: float) -> float:
        """The reweighted share with the outcome if selection within every group multiplied its odds.

        p' = p / (p + odds (1 - p)) undoes it.
        """
        assert self.y is not None
        p = self.y / np.maximum(self.k, 1)
        return float((self.k * self.weights) @ (p / (p + odds * (1 - p))) / self.n)


def read(
    observed: Source, rates: Source, count: str | None, selected: str | None, y: str | None
) -> Selection:
    """Read who was selected, and the reference.

    The reference has a row for each group: columns with the same names as in `observed`; `rate`, how common
    it is what people are selected for (with `n`, how many were asked); one more column, people or shares of
    them.

    Args:
        observed: a row for each person.
        rates: the reference.
        count: column of `observed` with how many people a row stands for.
        selected: a condition; rows without it are people, but not selected.
        y: a condition, the outcome.

    Raises:
        DataError: a column or a cell cannot be used, or the tables do not go together.
    """
    reserved = {RATE, count}
    columns = [name for name in dict.fromkeys(rates.names) if name in observed.names and name not in reserved]
    if not columns:
        raise rates.error(
            f"has no column of groups that {observed.title} has too; give it the same name as there "
            f"({shorten(observed.names)})"
        )
    reference = _reference(rates, columns)
    if "size" not in reference and selected is None:
        if RATE not in reference or abs(reference[RATE].sum() - 1) > ROUNDING:
            why = "there is neither a column 'rate' nor one of sizes"
            if RATE in reference:
                why = f"the rates add up to {reference[RATE].sum():.3g}"
            raise rates.error(
                f"{why}: add a column 'population' with how many people each group has, or their shares"
            )
        # rates that add up to 1 are the shares of the groups
        reference = reference[[RATE]].rename(columns={RATE: "size"})
    labels = list(reference.index)
    groups = Groups(observed, ",".join(columns))
    fields: dict[str, Field] = dict(groups.fields)
    if count is not None:
        fields["count"] = observed.number(count)
    for key, condition in (("selected", selected), ("y", y)):
        if condition is not None:
            fields[key] = observed.condition(condition)
    key = list(groups.labels)[-1]
    totals = pd.DataFrame(0, index=labels, columns=["people", "selected", "y"], dtype=np.int64)
    for part in observed.parts(fields):
        part = groups.crossed(part)
        if lost := sorted(set(part[key]) - set(labels)):
            raise observed.error(
                f"'{groups.labels[key]}' holds '{lost[0]}', which {rates.title} does not have, "
                f"{nearest(lost[0], labels)}; add its row there, or leave these rows out"
            )
        row = pd.DataFrame({"people": _counts(observed, part) if count is not None else 1}, index=part.index)
        row["selected"] = row["people"] * (part["selected"] if selected is not None else True)
        row["y"] = row["selected"] * (part["y"] if y is not None else False)
        totals = totals.add(row.groupby(part[key]).sum().reindex(labels, fill_value=0))
    found = Selection(
        groups.labels[key],
        tuple(labels),
        totals["selected"].to_numpy(),
        totals["y"].to_numpy() if y is not None else None,
        reference.get("size", totals["people"]).to_numpy(dtype=np.float64),
        *(reference[name].to_numpy() if name in reference else None for name in (RATE, ASKED)),
    )
    weight = found.size if found.rate is None else found.size * found.rate
    if not weight.sum() > 0:
        raise rates.error("the reference is empty: sizes times rates add up to 0")
    if found.n == 0:
        raise observed.error("nobody is selected; there is nothing to compare")
    if (none := (found.k > 0) & (weight == 0)).any():
        g = int(none.argmax())
        raise rates.error(
            f"'{labels[g]}': the reference has nobody, but {found.k[g]:,} are selected; correct its row"
        )
    return found


def _reference(rates: Source, columns: list[str]) -> pd.DataFrame:
    """Those of `size`, `rate` and `n` that the reference has, of every group."""
    kinds = [RATE, ASKED] if {RATE, ASKED} <= set(rates.names) else [RATE] if RATE in rates.names else []
    others = [name for name in rates.names if name not in (*columns, *kinds)]
    if len(others) > 1:
        raise rates.error(
            f"columns {join_words([repr(name) for name in others])} could all be the sizes of groups; keep "
            "one besides the groups, 'rate' and 'n'"
        )
    groups = Groups(rates, ",".join(columns))
    fields: dict[str, Field] = dict(groups.fields)
    fields |= {kind: rates.probability(kind) if kind == RATE else rates.number(kind) for kind in kinds}
    if others:
        fields["size"] = rates.number(others[0])
    table = pd.concat([groups.crossed(part) for part in rates.parts(fields)])
    if rates.left_out:
        raise rates.error(f"{rates.left_out:,} rows lack a value; fill them in, or remove them")
    for name, column, least in (("size", *(others or [""]), 0), (ASKED, ASKED, 1)):
        if name in table and (off := (table[name] < least).to_numpy()).any():
            i = int(off.argmax())
            raise rates.error(f"column '{column}', row {table.index[i]}: {table[name].iloc[i]:g} people")
    table = table.set_index(list(groups.labels)[-1])
    if (twice := table.index.duplicated()).any():
        raise rates.error(f"'{table.index[twice][0]}' has several rows; keep one")
    if len(table) < 2:
        raise rates.error(
            f"there is one group only, '{table.index[0]}'; there must be another to compare with"
        )
    return table[[name for name in ("size", RATE, ASKED) if name in table]]


def _counts(source: Source, part: pd.DataFrame) -> np.ndarray:
    counts = part["count"].to_numpy()
    if (off := (counts < 0) | (counts != np.floor(counts))).any():
        i = int(off.argmax())
        raise source.error(f"row {part.index[i]}: {counts[i]:g} is not a number of people; counts are whole")
    return counts.astype(np.int64)
