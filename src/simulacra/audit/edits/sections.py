"""What an audit of edits says about each group: predictions, success, movement, identity, side effects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulacra.audit.edits.groups import EditedGroups
from simulacra.audit.shared.figures import comparison
from simulacra.audit.shared.findings import Finding, Plot, Section, slug
from simulacra.audit.shared.rates import Measured
from simulacra.metrics.edits import SAME

PERFECT_PREDICTIONS = (
    "The attribute is what a model predicts from the picture, not what people see; where its predictions are "
    "worse for a group, so are these numbers."
)


def predictions_section(audited: EditedGroups, minimum: int) -> Section:
    """How well the attribute is predicted for each group, on real examples."""
    everybody = np.ones(len(audited.group), bool)
    finding, plot = _compared(
        audited,
        "predictions",
        audited.rates(audited.right, everybody),
        minimum,
        what="shares of correct predictions",
        of="held-out examples",
        did=f"are predicted correctly to have or lack '{audited.target.name}'",
        does_not_show="How well edited examples are predicted, whose attributes nobody knows.",
    )
    title = f"How well '{audited.target.name}' is predicted"
    return Section("predictions", title, "predictions", [finding], [plot])


def edits_section(audited: EditedGroups, minimum: int) -> Section:
    """Whether the edit succeeds for each group, how far it moves, what stays and what else changes."""
    m, target = audited.measured, audited.target
    t, name = target.column, target.name
    had = target.held_by(m.before[:, t])
    removed, added = ~target.held_by(m.after[0][:, t]), target.held_by(m.after[1][:, t])
    easier = (
        "Examples that start close to having the attribute, or lacking it, need a smaller edit: groups may "
        "differ in where they start."
    )
    made = [
        _compared(
            audited,
            "success",
            audited.rates(added, ~had),
            minimum,
            what="shares of edits that add the attribute",
            of=f"held-out examples that lack '{name}'",
            did="have it after the edit",
            does_not_show=f"{PERFECT_PREDICTIONS} {easier}",
        ),
        _compared(
            audited,
            "removal",
            audited.rates(removed, had),
            minimum,
            what="shares of edits that remove the attribute",
            of=f"held-out examples that have '{name}'",
            did="lack it after the opposite edit",
            does_not_show=f"{PERFECT_PREDICTIONS} {easier}",
        ),
        _compared(
            audited,
            "movement",
            audited.means(m.moved[:, t] * (1 if target.above else -1)),
            minimum,
            what="movements of the attribute",
            of="held-out examples",
            did=f"move by {{}} standard deviations of '{m.known.names[t]}' per unit of strength",
            does_not_show=PERFECT_PREDICTIONS,
        ),
        _compared(
            audited,
            "identity",
            audited.means(m.identity.cosine.mean(axis=0)),
            minimum,
            what="cosines with the unedited example",
            of="edited examples",
            did="have a cosine of {} with their unedited reconstructions",
            does_not_show="Whether people would recognise each other: the cosine is one of features of a "
            "network or of pixels. How much the reconstruction had lost before the edit.",
        ),
    ]
    others = _others(audited)
    if others:
        size = np.abs(m.change[:, :, others]).mean(axis=(0, 2))
        listed = ", ".join(m.known.names[k] for k in others)
        made.append(
            _compared(
                audited,
                "side-effects",
                audited.means(size),
                minimum,
                what="changes of other attributes",
                of="edited examples",
                did="change in their other attributes by {} standard deviations on average",
                does_not_show=f"{PERFECT_PREDICTIONS} Which of the other attributes change: {listed}.",
            )
        )
    return Section(
        "edits",
        f"What the edit '{name}' does",
        "generator",
        [finding for finding, _ in made],
        [plot for _, plot in made],
    )


def _others(audited: EditedGroups) -> list[int]:
    """The known attributes besides the edited one and the groups, not those that are the edited one again."""
    m, t = audited.measured, audited.target.column
    column = m.before[:, t]
    found = []
    for k, name in enumerate(m.known.names):
        values = m.before[:, k]
        varies = values.std() > 0 and column.std() > 0
        same = varies and abs(float(np.corrcoef(values, column)[0, 1])) > SAME
        if k != t and not same and name != audited.column:
            found.append(k)
    return found


def _compared(
    audited: EditedGroups, name: str, measured: Sequence[Measured], minimum: int, **words: str
) -> tuple[Finding, Plot]:
    return comparison(
        f"{name}.{slug(audited.column)}",
        [m for m in measured if m.n],
        column=audited.column,
        minimum=minimum,
        caption=f"By {audited.column}. Intervals 95%.",
        **words,
    )
