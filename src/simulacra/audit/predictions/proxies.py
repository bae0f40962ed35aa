"""How well the columns a model is trained on predict people's groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from simulacra.audit.shared.auc import auc
from simulacra.audit.shared.figures import rows
from simulacra.audit.shared.findings import LEVEL, Finding, Plot, Section, Table, slug
from simulacra.audit.shared.phrasing import amount, at_once, interval, shorten
from simulacra.audit.shared.random_rows import sampled
from simulacra.audit.shared.rates import MINIMUM, keyed
from simulacra.audit.shared.source import Field, Source

# groups of a column that are compared with the others, largest first
GROUPS = 10
# distinct texts of a column, the most frequent; all others are one
TEXTS = 50
SHOWN = 5
LIMITS = (
    "Whether the model uses it. That the group can be predicted does not mean that the model's predictions "
    "differ by it, and where these columns do not predict it others may."
)


def proxies(
    source: Source, group: str, used: Sequence[str], minimum: int = MINIMUM
) -> tuple[Section, dict[str, str | int | float]]:
    """How well each group is predicted by the columns that are neither groups nor outcomes.

    A gradient-boosted classifier is trained on one half of at most 20,000 rows and tested on the other.

    Args:
        source: the table a model was trained on.
        group: columns of groups with commas between them.
        used: columns that are not features: outcome, prediction, score.
        minimum: people that a group needs in the half it is tested on.

    Returns:
        The section, and what was read.

    Raises:
        DataError: a column of groups is missing, or there is no other column.
    """
    groups = source.groups(group)
    names = {field.column for field in groups}
    features = [name for name in dict.fromkeys(source.names) if name not in names and name not in used]
    if not features:
        raise source.error("has no columns besides the groups and the outcome that could predict the groups")
    fields = {field.column: field for field in (*groups, *map(Field, features))}
    sample = sampled(source, fields, drop=False, shuffle=True)
    x, texts = _encoded(sample[features])
    findings, plots, tables = [], [], []
    for name in (field.column for field in groups):
        finding, plot, table = _predicted(name, sample[name], x, features, texts, minimum)
        findings.append(finding)
        plots += plot
        tables += table
    note = f"Columns used: {shorten(features, 20)}."
    title = "Do other columns predict the group?"
    about = {**source.about(), "rows used": len(sample)}
    return Section("proxies", title, "data", findings, plots, tables, [note]), about


def _encoded(table: pd.DataFrame) -> tuple[np.ndarray, list[bool]]:
    """Columns as numbers `(N, D)`, NaN where there is none; which of them are texts."""
    columns, texts = [], []
    for name in table:
        numbers = pd.to_numeric(table[name], errors="coerce")
        texts.append(bool(numbers.notna().mean() < 0.5))
        if texts[-1]:
            common = table[name].value_counts().index[:TEXTS]
            numbers = pd.Series(pd.Categorical(table[name], common).codes).replace(-1, TEXTS)
        columns.append(numbers.to_numpy(dtype=np.float64))
    return np.stack(columns, axis=1), texts


def _predicted(
    column: str, group: pd.Series, x: np.ndarray, features: Sequence[str], texts: list[bool], minimum: int
) -> tuple[Finding, list[Plot], list[Table]]:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.inspection import permutation_importance

    name, what = f"proxies.{slug(column)}", "area under the curve"
    test = np.random.default_rng(0).random(len(group)) < 0.5
    sizes = group[test].value_counts()
    names = [g for g in sizes.index if sizes[g] >= minimum and test.sum() - sizes[g] >= minimum]
    names = [g for g in names if 2 <= (group[~test] == g).sum() < (~test).sum()][:GROUPS]
    if not names:
        sentence = f"Whether other columns predict {column}: withheld, no group has {minimum} people."
        return Finding(name, sentence, "withheld", LIMITS, what), [], []
    # Bonferroni: all groups' intervals hold at once
    level = 1 - (1 - LEVEL) / len(names)
    models, found = {}, {}
    for g in names:
        member = (group == g).to_numpy()
        model = HistGradientBoostingClassifier(categorical_features=texts, random_state=0)
        models[g] = model.fit(x[~test], member[~test])
        found[g] = auc(model.predict_proba(x[test])[:, 1], member[test], level)
    g = max(names, key=lambda one: found[one].ends[0])
    sure = found[g].ends[0] > 0.5
    finding = Finding(
        name,
        f"Take one person whose {column} is {g} and one whose is not: in {100 * found[g].value:.0f} of 100 "
        f"such pairs the other columns tell which is which; guessing gives 50 ({amount(found[g].value)}, "
        f"{interval(found[g])}{at_once(len(names))})."
        + (f" Leaving out {column} does not remove it from the data." if sure else ""),
        "finding" if sure else "no finding",
        LIMITS,
        what,
        found[g],
        int(test.sum()),
        keyed("group", found.items()),
        name,
    )
    caption = "Pairs separated, each group against all others, on the rows for testing; dotted: guessing."
    chart = rows([(one, int(sizes[one]), found.get(one)) for one in sizes.index], "pairs separated", 0.5)
    plot = Plot(name, f"Predicting {column} from other columns", chart, caption)
    member = (group == g).to_numpy()[test]
    # by how much the area shrinks when a column is shuffled (Breiman 2001)
    lost = permutation_importance(
        models[g], x[test], member, scoring="roc_auc", n_repeats=1, random_state=0
    ).importances_mean
    cells = [[features[i], amount(float(lost[i]))] for i in np.argsort(-lost)[:SHOWN]]
    return finding, [plot], [Table(f"What predicts {g}", ["column", "pairs lost when it is shuffled"], cells)]
