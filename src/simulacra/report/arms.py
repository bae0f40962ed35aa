"""The report card of a robot arm, whose joint angles are predicted from the position of its hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from torch.distributions import Distribution, MixtureSameFamily

from simulacra.core.batch import tensor
from simulacra.core.capabilities import Predicts
from simulacra.core.noise import Noise
from simulacra.data import parse
from simulacra.data.sources.robot_arm import joints
from simulacra.probability.distributions import modes
from simulacra.report.figures import BLUE, GREEN, GREY, INK, ORANGE, style
from simulacra.report.inline_images import chart
from simulacra.report.material import Material
from simulacra.report.report_card import ReportCard

# hands that are shown, and side by side
HANDS, ACROSS = 6, 3
# draws of p(angles | hand) shown for each hand where there is a continuum of solutions
DRAWN = 12
# modes below this share of the highest density are left out
LOWEST = 0.05
# joints up to which a hand position has few solutions
FEW = 2


def arms(m: Material[Predicts]) -> ReportCard | None:
    """Arms by the predicted angles of several held-out hands."""
    if m.held is None or m.held.target is None or parse(m.config.source)[0] != "robot-arm":
        return None
    hands, J = spread_out(m.held.x), m.held.target.shape[1]
    p = m.model.predict(tensor(hands))
    if isinstance(p, MixtureSameFamily) and J <= FEW:
        solutions = highest_modes(p)
        which = f"the modes of p(angles | hand) of at least {100 * LOWEST:.0f}% of the highest density"
    else:
        drawn = Noise(m.config.training.seed).draw(p, DRAWN).transpose(0, 1)
        solutions = [np.asarray(rows) for rows in drawn]
        which = f"{DRAWN} draws from p(angles | hand)"
    mean = np.asarray(p.mean)
    figure = draw(hands, solutions, mean)
    sides = "" if J == 1 else ", coloured by the side of the line from base to hand where the elbow is"
    caption = (
        f"{len(hands)} hand positions of the {m.split} split (crosses), sorted by their distance from the"
        f" base, and arms that should reach them: {which}{sides}. Dashed: the arm at the mean angles. The"
        " circle is the reach of the arm."
        f" {_errors(hands, solutions, mean)}"
    )
    return ReportCard("arms", "Arms", chart(figure, "arms by the predicted angles", "paper"), caption)


def spread_out(x: np.ndarray) -> np.ndarray:
    """Six of the hand positions `(N, 2)`, at even steps in the order of their distance from the base."""
    order = np.linalg.norm(x, axis=1).argsort(kind="stable")
    return x[order[np.linspace(0, len(x) - 1, min(HANDS, len(x))).round().astype(int)]]


def _errors(hands: np.ndarray, solutions: Sequence[np.ndarray], mean: np.ndarray) -> str:
    away = [np.linalg.norm(joints(rows)[:, -1] - x, axis=1) for rows, x in zip(solutions, hands, strict=True)]
    of_mean = np.linalg.norm(joints(mean)[:, -1] - hands, axis=1)
    return (
        f"Median distance of the hand from its target: {100 * np.median(np.concatenate(away)):.1f}% of the"
        f" arm's length, and {100 * np.median(of_mean):.1f}% at the mean angles."
    )


def highest_modes(p: Distribution) -> list[np.ndarray]:
    """For each row the modes `(K, T)` of at least `LOWEST` times the highest density."""
    found = modes(p)
    enough = found.log_density >= found.log_density[:, :1] + float(np.log(LOWEST))
    return [np.asarray(values[keep]) for values, keep in zip(found.values, enough, strict=True)]


def side(positions: np.ndarray) -> np.ndarray:
    """1 where an arm is bent above the line from base to hand, -1 below, 0 straight, `(N,)`.

    Args:
        positions: of base, joints and hand, `(N, J + 1, 2)`.

    >>> side(joints(np.array([[0.0, 1.0], [1.0, -1.0], [0.5, 0.0]]))).tolist()
    [-1.0, 1.0, 0.0]
    """
    x, y = positions[:, -1].T
    # twice the areas of base, joint and hand
    area = (x[:, None] * positions[:, 1:-1, 1] - y[:, None] * positions[:, 1:-1, 0]).sum(axis=1)
    return np.sign(np.where(np.abs(area) < 1e-9, 0.0, area))


def draw(hands: np.ndarray, solutions: Sequence[np.ndarray], mean: np.ndarray) -> Figure:
    """The arms for each hand position, one chart for each.

    Args:
        hands: `(N, 2)`.
        solutions: for each hand the angles of some arms, `(K, J)`.
        mean: for each hand the mean angles, `(N, J)`.
    """
    N, J = mean.shape
    everything = [joints(rows) for rows in [*solutions, mean]]
    low = min(-0.25, min(p[..., 0].min() for p in everything) - 0.05)
    faint = 1.0 if max(map(len, solutions)) <= 4 else 0.45
    with style():
        rows = -(-N // ACROSS)
        figure = Figure(figsize=(5.2, 0.4 + rows * 1.7 * 2.2 / (1.1 - low)), layout="constrained")
        for i in range(N):
            axes = figure.add_subplot(rows, ACROSS, i + 1)
            axes.add_patch(Circle((0, 0), 1, facecolor="none", edgecolor=GREY, linewidth=0.8, zorder=0))
            for positions, above in zip(everything[i], side(everything[i]), strict=True):
                _arm(axes, positions, GREEN if above > 0 and J > 1 else BLUE, faint, "-")
            _arm(axes, everything[-1][i], ORANGE, 1.0, (0, (2.5, 1.2)))
            axes.plot([0], [0], color=INK, marker="s", markersize=4)
            axes.plot(*hands[i, :, None], color=INK, marker="x", markersize=8, markeredgewidth=1.6, zorder=5)
            axes.set_aspect("equal")
            axes.set_xlim(low, 1.1)
            axes.set_ylim(-1.1, 1.1)
            axes.set_axis_off()
        names = [("arm", BLUE, "-")] if J == 1 else [("elbow above", GREEN, "-"), ("elbow below", BLUE, "-")]
        marks = [Line2D([], [], color=colour, label=name) for name, colour, _ in names]
        marks.append(Line2D([], [], color=ORANGE, linestyle=(0, (2.5, 1.2)), label="mean angles"))
        marks.append(Line2D([], [], color=INK, marker="x", linestyle="", markersize=7, markeredgewidth=1.6))
        marks[-1].set_label("target")
        figure.legend(handles=marks, loc="outside upper right", ncols=4, handlelength=1.5, handletextpad=0.5,
                      columnspacing=1.2)  # fmt: skip
    return figure


def _arm(
    axes: Axes, positions: np.ndarray, colour: str, alpha: float, line: str | tuple[float, tuple[float, ...]]
) -> None:
    axes.plot(*positions.T, color=colour, linestyle=line, alpha=alpha, linewidth=1.8)
    axes.plot(*positions[1:].T, color=colour, marker="o", linestyle="", markersize=2.6, alpha=alpha)
