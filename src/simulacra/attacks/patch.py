"""Stickers: one patch that misleads a classifier wherever it is put (Brown et al. 2017).

The patch is optimised for its expected effect over images and over random affine transforms (expectation
over transformation, Athalye et al. 2018, eq. 2):

    max over patch of E over x, t of log p(target | A(patch, x, t))

with A(patch, x, t) the image x, a round patch pasted over it, turned, scaled and moved by t.

    >>> paste(torch.zeros(1, 1, 4, 4), torch.ones(1, 4, 4), Placement(Noise(0), 1, 0.5, (4, 4))).amax()
    tensor(1.)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

from simulacra.attacks.gradient import AdversarialExamples, attacked, make_goal
from simulacra.core.model import Model
from simulacra.core.noise import Noise
from simulacra.errors import ConfigError

# how far a patch is turned either way, and how much smaller or larger than its size it may be
TURN, SCALES = pi / 8, (0.8, 1.2)


class Placement:
    """Where a round patch goes on each of n images, at random: turned, scaled, and moved, but all inside.

    Args:
        noise: the transforms.
        n: images.
        size: the mean diameter of the patch, as a share of the shorter side.
        shape: height and width of the images.

    Attributes:
        theta: `(n, 2, 3)`, from places in an image to places in the patch, each axis from -1 to 1.
    """

    def __init__(self, noise: Noise, n: int, size: float, shape: tuple[int, int]) -> None:
        angle, scale, *place = noise.uniform(n, 4).T
        angle = TURN * (2 * angle - 1)
        # at most the whole side: half a diameter, in halves of the shorter side
        s = (size * (SCALES[0] + (SCALES[1] - SCALES[0]) * scale)).clamp(max=1)
        # (W, H) in the shorter side: places o = A (x, y), which turns do not shear
        extent = torch.tensor([shape[1], shape[0]], device=s.device) / min(shape)
        centre = (2 * torch.stack(place, dim=1) - 1) * (extent - s[:, None])
        cos, sin = angle.cos(), angle.sin()
        turn = torch.stack([cos, sin, -sin, cos], dim=1).unflatten(1, (2, 2))
        # p = R(-angle) (A o - centre) / s
        linear = turn / s[:, None, None]
        self.theta = torch.cat([linear * extent, -linear @ centre[:, :, None]], dim=2)


def paste(x: Tensor, patch: Tensor, at: Placement) -> Tensor:
    """Images `(B, C, H, W)` with a round patch `(C, S, S)` on each."""
    grid = F.affine_grid(at.theta, list(x.shape), align_corners=False)  # (B, H, W, 2)
    seen = F.grid_sample(patch.expand(len(x), *patch.shape), grid, padding_mode="border", align_corners=False)
    inside = (grid.norm(dim=3) <= 1)[:, None]
    return torch.where(inside, seen, x)


@dataclass(frozen=True)
class Sticker:
    """A patch and how it was made.

    Attributes:
        patch: `(C, S, S)` in [0, 1], of which the inscribed circle counts.
        size: its mean diameter, as a share of the shorter side.
    """

    patch: Tensor
    size: float

    def on(self, x: Tensor, noise: Noise) -> Tensor:
        """Images `(B, C, H, W)` with the sticker, each under its own transform."""
        return paste(x, self.patch, Placement(noise, len(x), self.size, (x.shape[2], x.shape[3])))


def make(
    model: Model,
    x: Tensor,
    y: Tensor,
    noise: Noise,
    size: float = 0.4,
    steps: int = 200,
    target: int | None = None,
    batch_size: int = 64,
    lr: float = 0.05,
) -> Sticker:
    """Optimise a patch by Adam; each step takes random images and transforms.

    Args:
        model: the classifier.
        x: images `(B, C, H, W)` in [0, 1] to put it on.
        y: their classes `(B,)`.
        noise: its first pixels, the images of a step, and the transforms.
        size: mean diameter, as a share of the shorter side, from above 0 to 1.
        steps: of Adam.
        target: class that all images should be classified as; None: any but their own.
        batch_size: images in a step.
        lr: of Adam.

    Raises:
        ConfigError: the size is not in (0, 1], or steps is below 1.
    """
    if not 0 < size <= 1:
        raise ConfigError(f"size: must be above 0 and at most 1, not {size}")
    if steps < 1:
        raise ConfigError(f"steps: must be at least 1, not {steps}")
    goal, (n, c, h, w) = make_goal(model, y, target), x.shape
    labels, patch = goal.labels, noise.uniform(1, c, min(h, w), min(h, w))[0].requires_grad_()
    adam = torch.optim.Adam([patch], lr=lr)
    with attacked(model), torch.enable_grad():
        for _ in range(steps):
            rows = (noise.uniform(min(n, batch_size)) * n).long()
            goal.labels = labels[rows]
            placed = paste(x[rows], patch, Placement(noise, len(rows), size, (h, w)))
            (patch.grad,) = torch.autograd.grad(-goal.loss(placed).mean(), patch)
            adam.step()
            with torch.no_grad():
                patch.clamp_(0, 1)
    return Sticker(patch.detach(), size)


def stick(
    model: Model, sticker: Sticker, x: Tensor, y: Tensor, noise: Noise, target: int | None = None
) -> AdversarialExamples:
    """Images `(B, C, H, W)` of classes y with a sticker, each under its own transform."""
    goal = make_goal(model, y, target)
    with attacked(model):
        return goal.result(sticker.on(x, noise), x)
