"""Figure of an attack: original images, changes and adversarial images, with the predicted classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from simulacra.attacks.gradient import AdversarialExamples

INK, MUTED = "#24292f", "#6e7781"
# Okabe and Ito 2008
FOOLED = "#d55e00"
# letters of a class name that fit below an image
LETTERS = 14


def sheet(
    found: AdversarialExamples,
    before: Tensor,
    classes: Sequence[str],
    title: str,
    y: np.ndarray | None = None,
    shown: int = 7,
) -> Figure:
    """The first images as columns: original, change and adversarial image, each with its most likely class.

    The change is drawn from blue (darker) over white to red (brighter), and in colour around grey, each up to
    its largest value, which is written below it. Labels of successful images are orange.

    Args:
        found: the adversarial images.
        before: p(class | x) of the images that they were made from, `(B, K)`.
        classes: names of the classes.
        title: of the figure.
        y: labels of the images, `(B,)`; None for noise.
        shown: maximum number of columns.
    """
    columns = min(shown, len(found.x))
    figure = Figure(figsize=(0.8 + 1.05 * columns, 4.6), layout="constrained")
    # names of classes are not mathematics
    figure.suptitle(title, color=INK, fontsize=10.5, parse_math=False)
    axes = figure.subplots(3, columns, squeeze=False)
    rows = ("noise" if y is None else "original", "change", "adversarial")
    for row, name in enumerate(rows):
        axes[row, 0].set_ylabel(name, color=INK, fontsize=10)
    for i in range(columns):
        delta = (found.x[i] - found.start[i]).cpu().numpy()
        truth = None if y is None else classes[int(y[i])]
        name, percent = _prediction(before[i], classes, truth)
        _image(axes[0, i], found.start[i].cpu().numpy(), name, percent, INK)
        largest = float(np.abs(delta).max())
        _change(axes[1, i], delta, largest)
        _label(axes[1, i], f"up to ±{largest:.2g}", f"L2 {float(found.l2[i]):.2g}", MUTED)
        name, percent = _prediction(found.probabilities[i], classes)
        _image(axes[2, i], found.x[i].cpu().numpy(), name, percent, FOOLED if found.fooled[i] else INK)
    return figure


def _prediction(p: Tensor, classes: Sequence[str], truth: str | None = None) -> tuple[str, str]:
    """The most likely class and its probability, never rounded up to 100%.

    >>> import torch
    >>> _prediction(torch.tensor([0.002, 0.998]), ("cat", "bus")), _prediction(torch.tensor([0.0, 1.0]), "ab")
    (('bus', '99.8%'), ('b', '>99.9%'))
    >>> _prediction(torch.tensor([0.7, 0.3]), ("cat", "bus"), "bus")
    ('cat (is bus)', '70.0%')
    """
    k = int(p.argmax())
    name, percent = classes[k], 100 * float(p[k])
    if truth is not None and truth != name:
        name = f"{name} (is {truth})"
    name = name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"
    return name, ">99.9%" if percent > 99.9 else f"{percent:.1f}%"


def _image(axes: Axes, image: np.ndarray, name: str, percent: str, colour: str) -> None:
    grey = image.shape[0] == 1
    axes.imshow(image[0] if grey else image.transpose(1, 2, 0), cmap="gray" if grey else None, vmin=0, vmax=1)
    _label(axes, name, percent, colour)


def _change(axes: Axes, delta: np.ndarray, largest: float) -> None:
    largest = largest or 1.0
    if delta.shape[0] == 1:
        axes.imshow(delta[0], cmap="RdBu_r", vmin=-largest, vmax=largest)
    else:
        axes.imshow((0.5 + delta / (2 * largest)).transpose(1, 2, 0))


def _label(axes: Axes, name: str, below: str, colour: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color="#b4bac1", linewidth=0.6)
    axes.set_xlabel(
        f"{name}\n{below}", color=colour, fontsize=9.5, linespacing=1.25, labelpad=3, parse_math=False
    )
