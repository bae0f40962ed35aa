"""Runs side by side in one picture: what each encodes, reconstructs, walks through and samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulacra.core.batch import tensor, to_bytes
from simulacra.core.capabilities import Capability, Encodes, Reconstructs, Samples
from simulacra.core.inference import draw
from simulacra.errors import ConfigError
from simulacra.images import grid
from simulacra.report import clouds, figures, maps
from simulacra.report.material import Material, gather
from simulacra.run import Run
from simulacra.tasks.interpolate import Points, from_examples, walk

# inches of a column
WIDTH = 3.4
# rows and columns of images
SIDE = 6


@dataclass(frozen=True)
class Panel:
    """A row of the picture.

    Attributes:
        title: of each panel in it.
        capability: that a model needs for it.
        draw: draws it for one run.
        images: whether it is one of images alone.
    """

    title: str
    capability: type[Capability]
    draw: Callable[[Axes, Material[Any]], None]
    images: bool = False

    def applies(self, m: Material[Any]) -> bool:
        """Whether there is something to draw of this run."""
        there = self.capability is Samples or m.held is not None
        suits = m.config.spec.kind == "image" or not self.images
        return isinstance(m.model, self.capability) and there and suits


def side_by_side(runs: Sequence[Run], names: Sequence[str]) -> Figure:
    """A column for each run, a row for each thing that one of them can do.

    Examples are held-out ones, the same for runs of one data source and seed.

    Args:
        runs: run folders.
        names: of the columns.

    Raises:
        RunError: there is no run, or it has no weights.
        ConfigError: none of the runs encodes or samples.
    """
    opened = [gather(run) for run in runs]
    with figures.style():
        rows = [panel for panel in PANELS if any(map(panel.applies, opened))]
        if not rows:
            raise ConfigError("out: none of these runs encodes or samples, so that there is nothing to draw")
        figure = Figure(figsize=(WIDTH * len(runs), WIDTH * len(rows)), layout="constrained")
        axes = figure.subplots(len(rows), len(runs), squeeze=False)
        for row, panel in zip(axes, rows, strict=True):
            for one, m in zip(row, opened, strict=True):
                if panel.applies(m):
                    panel.draw(one, m)
                    one.set_title(panel.title, fontsize=8.5, loc="left")
                else:
                    one.set_axis_off()
        for one, name in zip(axes[0], names, strict=True):
            one.annotate(
                figures.shortened(name, 40), (0.5, 1.0), (0, 22), "axes fraction", "offset points",
                ha="center", fontsize=11, weight="bold",
            )  # fmt: skip
    return figure


def _latents(axes: Axes, m: Material[Encodes]) -> None:
    placed = maps.placed(m)
    assert placed is not None, "there are held-out examples"
    assert m.held is not None
    points, names, _ = placed
    figures.draw_map(axes, points, names, m.held.y, m.held.spec.classes)


def _reconstructions(axes: Axes, m: Material[Reconstructs]) -> None:
    assert m.held is not None
    x = m.held.x[: SIDE**2 // 2]
    with torch.no_grad():
        y = to_bytes(m.model.reconstruct(tensor(x, m.model.device)))
    pairs = [part for k in range(0, len(x), SIDE) for part in (x[k : k + SIDE], y[k : k + SIDE])]
    _images(axes, np.concatenate(pairs))


def _walks(axes: Axes, m: Material[Reconstructs]) -> None:
    """From one held-out example to the next."""
    assert m.held is not None
    z = from_examples(m.model, tensor(m.held.x[: 2 * SIDE]))
    ends = [Points(z[k : k + 2], None) for k in range(0, len(z) - 1, 2)]
    frames = [torch.cat(list(walk(m.model, points, SIDE))) for points in ends]
    _images(axes, to_bytes(torch.cat(frames)))


def _samples(axes: Axes, m: Material[Samples]) -> None:
    seed = m.config.training.seed
    if m.config.spec.kind == "image":
        _images(axes, to_bytes(draw(m.model, SIDE**2, seed)))
        return
    held = None if m.held is None else m.held.x
    x = draw(m.model, 1000 if held is None else len(held), seed).cpu().numpy()
    groups = [("data", figures.GREY, held)] if held is not None else []
    clouds.draw_cloud(axes, [*groups, ("samples", figures.BLUE, x)], m.config.spec.columns, equal=False)


def _images(axes: Axes, x: np.ndarray) -> None:
    axes.imshow(grid(x, SIDE, padding=1), interpolation="nearest")
    axes.set_axis_off()


# rows, from above
PANELS = (
    Panel("latents of held-out examples", Encodes, _latents),
    Panel("held-out examples above their reconstructions", Reconstructs, _reconstructions, images=True),
    Panel("between held-out examples", Reconstructs, _walks, images=True),
    Panel("samples", Samples, _samples),
)
