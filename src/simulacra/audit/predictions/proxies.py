"""How well people's groups can be told from the columns a model is trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from simulacra.audit.shared.auc import auc
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.phrasing import amount, interval, some
from simulacra.audit.shared.rates import MINIMUM
from simulacra.audit.shared.source import Field, Source

# rows of a table that are looked at, drawn at random
SAMPLE = 20_000
# groups of a column that are told from the others, largest first
GROUPS = 10
# different texts of a column that are kept apart
TEXTS = 50
SHOWN = 5
LIMITS = (
    "Whether the model uses it. That the group can be told does not mean that predictions differ by it, and "
    "where it cannot be told by these columns others may tell."
)


def proxies(
    source: Source, group: str, used: Sequence[str], minimum: int = MINIMUM
) -> tuple[Section, dict[str, str | int | float]]:
    """How well each group is told from the columns that are neither groups nor outcomes.

    A gradient-boosted classifier learns on one half of at most 20,000 rows and is judged on the other.

    Args:
        source: the table a model was trained on.
        group: columns of groups with commas between them.
        used: columns that are no features: outcome, prediction, score.
        minimum: people that a group needs in the half that judges.

    Returns:
        The section, and what was read.

    Raises:
        DataError: a column of groups is missing, or there is no other column.
    """
    groups = source.groups(group)
    names = {field.column for field in groups}
    features = [name for name in dict.fromkeys(source.names) if name not in names and name not in used]
    if not features:
        raise source.error(
            "has no columns besides the groups and the outcome; there is nothing to tell them from"
        )
    sample = _sample(source, [*groups, *(Field(name) for name in features)])
    x, categories = _encoded(sample[features])
    findings, plots, tables = [], [], []
    for field in groups:
        finding, plot, table = _told(field.column, sample[field.column], x, features, categories, minimum)
        findings.append(finding)
        plots += plot
        tables += table
    note = f"Columns looked at: {some(features, 20)}."
    title = "Can the group be told from the other columns?"
    about = {**source.about(), "rows looked at": len(sample)}
    return Section("proxies", title, "data", findings, plots, tables, [note]), about


def _sample(source: Source, fields: Sequence[Field]) -> pd.DataFrame:
    """At most `SAMPLE` random rows as text; only rows without a group are left out."""
    rng, kept = np.random.default_rng(0), pd.DataFrame()
    for part in source.parts({field.column: field for field in fields}, drop=False):
        kept = pd.concat([kept, part.assign(**{" order": rng.random(len(part))})])
        kept = kept.nsmallest(SAMPLE, " order")
    return kept.drop(columns=" order")


def _encoded(table: pd.DataFrame) -> tuple[np.ndarray, list[bool]]:
    """Columns as numbers `(N, D)`, NaN where there is none; which of them are texts."""
    columns, texts = [], []
    for name in table:
        numbers = pd.to_numeric(table[name], errors="coerce")
        text = bool(numbers.notna().mean() < 0.5)
        if text:
            common = table[name].value_counts().index[:TEXTS]
            numbers = pd.Series(pd.Categorical(table[name], common).codes).replace(-1, TEXTS)
        columns.append(numbers.to_numpy(dtype=np.float64))
        texts.append(text)
    return np.stack(columns, axis=1), texts


def _told(
    column: str, group: pd.Series, x: np.ndarray, features: Sequence[str], texts: list[bool], minimum: int
) -> tuple[Finding, list[Plot], list[Table]]:
    from sklearn.ensemble import HistGradientBoostingClassifier

    name = f"proxies.{slug(column)}"
    judged = np.random.default_rng(0).random(len(group)) < 0.5
    sizes = group[judged].value_counts()
    names = [g for g in sizes.index if sizes[g] >= minimum and len(group[judged]) - sizes[g] >= minimum]
    names = [g for g in names if 2 <= (group[~judged] == g).sum() < (~judged).sum()][:GROUPS]
    if not names:
        words = f"Whether {column} can be told from other columns: withheld, no group has {minimum} people."
        return Finding(name, words, "withheld", LIMITS, "area under the curve"), [], []
    # Bonferroni: all groups' intervals hold at once
    level = 1 - (1 - LEVEL) / len(names)
    models, found = {}, {}
    for g in names:
        member = (group == g).to_numpy()
        model = HistGradientBoostingClassifier(categorical_features=texts, random_state=0)
        models[g] = model.fit(x[~judged], member[~judged])
        found[g] = auc(model.predict_proba(x[judged])[:, 1], member[judged], level)
    g = max(names, key=lambda one: found[one].ends[0])
    sure = found[g].ends[0] > 0.5
    together = f", 95% for all {len(names)} groups at once" if len(names) > 1 else ""
    finding = Finding(
        name,
        f"Take one person whose {column} is {g} and one whose is not: in {100 * found[g].value:.0f} of 100 "
        f"such pairs the other columns tell which is which; 50 would be guessing ({amount(found[g].value)}, "
        f"{interval(found[g])}{together})."
        + (f" Leaving out {column} does not take it out of the data." if sure else ""),
        "finding" if sure else "no finding",
        LIMITS,
        "area under the curve",
        found[g],
        int(judged.sum()),
        {f"group.{slug(one)}": e for one, e in found.items()},
        name,
    )
    drawn = [(one, int(sizes[one]), found.get(one)) for one in sizes.index]
    title = f"Telling {column} from other columns"
    caption = (
        "Share of pairs told apart, each group against all others, on rows not learnt; dotted: guessing."
    )
    plot = Plot(name, title, rows(drawn, "pairs told apart", 0.5), caption)
    member = (group == g).to_numpy()[judged]
    lost = _shuffled(models[g], x[judged], member, found[g].value)
    order = np.argsort(-lost)[:SHOWN]
    cells = [[features[i], amount(float(lost[i]))] for i in order]
    table = Table(f"What tells {g}", ["column", "pairs lost when it is shuffled"], cells)
    return finding, [plot], [table]


def _shuffled(model: object, x: np.ndarray, member: np.ndarray, whole: float) -> np.ndarray:
    """By how much the area shrinks when a column is shuffled, `(D,)` (Breiman 2001)."""
    rng, lost = np.random.default_rng(0), []
    for i in range(x.shape[1]):
        other = x.copy()
        other[:, i] = rng.permutation(other[:, i])
        lost.append(whole - auc(model.predict_proba(other)[:, 1], member).value)  # type: ignore[attr-defined]  # of scikit-learn
    return np.array(lost)
