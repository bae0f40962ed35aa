"""Report cards of edits, from the evaluations of the run's directions: what moves with strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from simulacra.core.capabilities import Decodes
from simulacra.report.figures import BLUE, GREY, INK, MUTED, ORANGE, shortened, single, style
from simulacra.report.inline_images import chart
from simulacra.report.material import Material
from simulacra.report.report_card import ReportCard
from simulacra.run import Run

# directions that have a chart, and a row of the matrix: the last that were evaluated
CHARTS, ROWS = 6, 20


@dataclass(frozen=True)
class Edits:
    """The last evaluation of a direction.

    Attributes:
        direction: its name.
        strengths: `(S,)`.
        attributes: K names.
        target: the place of the edited attribute; None where the direction is for none.
        others: the places of the attributes whose movement is leakage.
        change: of each attribute in standard deviations with its interval, three `(S, K)`.
        movement: the same per unit of strength, three `(K,)`.
        identity: cosine with the unedited example and its interval, three `(S,)`.
        different: cosine of two different examples.
        about: what was edited, for people.
    """

    direction: str
    strengths: np.ndarray
    attributes: list[str]
    target: int | None
    others: list[int]
    change: tuple[np.ndarray, ...]
    movement: tuple[np.ndarray, ...]
    identity: tuple[np.ndarray, ...]
    different: float
    about: str


def evaluated_edits(run: Run) -> list[Edits]:
    """The last evaluation of every direction; events that cannot be read are left out."""
    found: dict[str, Edits] = {}
    for event in run.events("evaluation"):
        try:
            one = _edits(event) if "edit" in event else None
        # a log that was changed by hand may hold anything
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
        if one is not None:
            # the newest last
            found.pop(one.direction, None)
            found[one.direction] = one
    return list(found.values())


def _edits(event: dict[str, Any]) -> Edits:
    edit = event["edit"]
    names, strengths = [str(name) for name in edit["attributes"]], np.array(edit["strengths"], float)
    S, K = len(strengths), len(names)

    def ends(band: dict[str, Any], *shape: int) -> tuple[np.ndarray, ...]:
        found = tuple(np.array(band[end], float).reshape(shape) for end in ("value", "low", "high"))
        if not np.isfinite(found).all():
            raise ValueError("not finite")
        return found

    return Edits(
        str(event["direction"]),
        strengths,
        names,
        names.index(edit["column"]) if "column" in edit else None,
        [names.index(name) for name in edit.get("others", names)],
        ends(edit["change"], S, K),
        ends(edit["movement"], K),
        ends(edit["identity"], S),
        float(event["edit_different"]),
        f"{int(event['examples']):,} examples of {event['data']}",
    )


def edited_attributes(m: Material[Decodes]) -> ReportCard | None:
    """For each direction, its attribute and all others against the strength of the edit, and identity."""
    found = evaluated_edits(m.run)[-CHARTS:]
    if not found:
        return None
    body = Markup("").join(
        chart(attribute_by_strength(one), f"what an edit along {one.direction} moves, by strength")
        for one in found
    )
    abouts = ", ".join(dict.fromkeys(one.about for one in found))
    caption = (
        f"Changes of the attributes of {abouts}, decoded after an edit, in standard deviations of the data;"
        " below, the cosine of their features with the unedited ones. Bands: 95% intervals of a bootstrap"
        " over the examples. Dotted: the cosine of two different examples."
    )
    return ReportCard("edits", "Edits by strength", body, caption)


def leakage_matrix(m: Material[Decodes]) -> ReportCard | None:
    """How far every evaluated direction moves every attribute."""
    found = evaluated_edits(m.run)[-ROWS:]
    if not found:
        return None
    caption = (
        "Standard deviations that each attribute (columns) moves per unit of strength along each direction"
        " (rows); the edited attribute is framed. Every other number is leakage."
    )
    figure = matrix(found)
    return ReportCard("leakage", "What edits move", chart(figure, "leakage matrix", "paper"), caption)


def attribute_by_strength(one: Edits) -> Figure:
    """Attributes against the strength of an edit, and below them the identity."""
    # nothing moves, and identity is whole, at strength 0
    place = int(np.searchsorted(one.strengths, 0))
    s = np.insert(one.strengths, place, 0.0)
    value, low, high = (np.insert(part, place, 0.0, axis=0) for part in one.change)
    cosine = [np.insert(part, place, 1.0) for part in one.identity]
    most = max(one.others, key=lambda k: abs(one.movement[0][k]), default=None)
    with style():
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        for k, name in enumerate(one.attributes):
            chosen = k in (one.target, most)
            colour = BLUE if k == one.target else ORANGE if k == most else GREY
            label = shortened(name) if chosen else "others" if k == _first_other(one, most) else None
            above.plot(s, value[:, k], color=colour, label=label, linewidth=2 if chosen else 1)
            above.fill_between(s, low[:, k], high[:, k], color=colour, alpha=0.25, linewidth=0)
        above.set_ylabel("change (SD)")
        above.grid()
        below.plot(s, cosine[0], color=INK)
        below.fill_between(s, cosine[1], cosine[2], color=INK, alpha=0.2, linewidth=0)
        below.axhline(one.different, color=MUTED, linestyle=":", linewidth=1)
        below.set_ylabel("identity")
        below.set_xlabel(f"strength of {shortened(one.direction)}")
        below.grid()
        figure.legend(loc="outside upper left", ncols=3, handlelength=1.2)
    return figure


def _first_other(one: Edits, most: int | None) -> int | None:
    return next((k for k in range(len(one.attributes)) if k not in (one.target, most)), None)


def matrix(found: list[Edits]) -> Figure:
    """Movements of all attributes along directions, as a table of coloured cells."""
    names = list(dict.fromkeys(name for one in found for name in one.attributes))
    values = np.full((len(found), len(names)), np.nan)
    for i, one in enumerate(found):
        values[i, [names.index(name) for name in one.attributes]] = one.movement[0]
    limit = max(float(np.nanmax(np.abs(values))), 1e-9)
    with style():
        figure, axes = single(520, 110 + 30 * len(found))
        axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                colour = "white" if abs(value) > 0.6 * limit else INK
                axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7.5, color=colour)
        for i, one in enumerate(found):
            if one.target is not None:
                j = names.index(one.attributes[one.target])
                axes.plot(
                    [j - 0.5, j + 0.5, j + 0.5, j - 0.5, j - 0.5],
                    [i - 0.5, i - 0.5, i + 0.5, i + 0.5, i - 0.5],
                    color=INK,
                    linewidth=1.2,
                    clip_on=False,
                )
        axes.set_xticks(range(len(names)), [shortened(name) for name in names], rotation=90)
        axes.set_yticks(range(len(found)), [shortened(one.direction) for one in found])
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
    return figure
