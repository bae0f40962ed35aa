"""Discriminator augmentation: adversarial games on few images.

A discriminator memorises a small training set, and its gradients no longer help the generator. With random
transforms T of real and fake images, D(T(x)) and D(T(G(z))), it sees no image twice; T is differentiable, so
that the generator trains through it.

    >>> from simulacra.core.noise import Noise
    >>> x = 2 * Noise(seed=0).uniform(4, 3, 32, 32) - 1
    >>> DiffAugment()(x, Noise(seed=1)).shape
    torch.Size([4, 3, 32, 32])
    >>> bool((AdaptiveAugment()(x, Noise(seed=1)) == x).all())  # p starts at 0
    True

Whether T leaks into what is generated (Karras et al. 2020, section 2.2; Bora et al. 2018): not as long as T
is invertible as a map of distributions, that is, as long as sets that differ before T differ after it. A
turn by 0, 90, 180 or 270 degrees with equal chances is not: upright and lying digits look the same after
it, and mirrored writing the same as writing after a fair flip. Skipped with a probability 1 - p above 0, the
turn leaves upright the most frequent, and generated images have to be upright too. That is so for p < 1 in
theory; in the paper's experiments leaks are unlikely below p = 0.8. The paper does not cap p, nor does
`AdaptiveAugment`: watch p, and the samples where it stays above 0.8. `DiffAugment` skips nothing, and has
neither flips nor turns.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import NamedTuple

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.core.noise import Noise

# steps between two changes of p (Karras et al. 2020, section 3)
INTERVAL = 4
# the farthest move by whole pixels, as a share of the image
MOVE = 0.125


class DiffAugment(nn.Module):
    """Colour, translation and cutout, always (Zhao et al. 2020).

    Brightness moves by U(-0.5, 0.5), saturation scales by U(0, 2) and contrast by U(0.5, 1.5); the image
    moves by up to 1/8 of its size, with 0 behind it; a rectangle of half its height and width becomes 0.
    """

    def forward(self, x: Tensor, noise: Noise) -> Tensor:
        """Images `(B, C, H, W)` in [-1, 1] with random changes, the same shape; they may leave [-1, 1]."""
        n, _, h, w = x.shape
        brightness, saturation, contrast = noise.uniform(n, 3, 1, 1, 1).to(x.dtype).unbind(1)
        x = x + brightness - 0.5
        grey = x.mean(dim=1, keepdim=True)
        x = grey + 2 * saturation * (x - grey)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        x = mean + (contrast + 0.5) * (x - mean)
        row, column = Axis(noise.uniform(n, 2), h), Axis(noise.uniform(n, 2), w)
        inside = row.inside[:, :, None] & column.inside[:, None]
        hole = row.hole[:, :, None] & column.hole[:, None]
        return _pick(x, row.source[:, :, None], column.source[:, None]) * (inside & ~hole)[:, None]


class Axis:
    """Where the rows (or columns) of moved and cut images come from.

    Args:
        u: uniform on [0, 1): the move and the cut, `(B, 2)`.
        size: how many rows there are.

    Attributes:
        source: the row each row shows, `(B, size)`, the nearest where there is none.
        inside: whether it shows one.
        hole: whether the cut goes through it.
    """

    def __init__(self, u: Tensor, size: int) -> None:
        move, cut = u[:, :, None].unbind(1)
        at, most, half = torch.arange(size, device=u.device), int(MOVE * size), size // 2
        # whole numbers: moves on -most..most; centres of cuts on all of the image
        source = at - ((move * (2 * most + 1)).floor().long() - most)
        start = (cut * (size + 1 - half % 2)).floor().long() - half // 2
        self.source = source.clamp(0, size - 1)
        self.inside = source == self.source
        self.hole = (at >= start) & (at < start + half)


class AdaptiveAugment(nn.Module):
    """Geometry and colour, each transform with probability p, which follows overfitting (Karras et al. 2020).

    The transforms are those of the paper's best setting, bgc: `Geometry` and `Colour`. With
    r = E[sign D(x)] over the real images of the last four steps, 0 when the discriminator does not tell
    them from fakes and 1 when it knows all of them (eq. 1), p rises by their number / ramp when r is above
    the target and falls by as much below it, within [0, 1].

    Args:
        target: of r.
        ramp: images in which p goes from 0 to 1.

    Attributes:
        p: of each transform, for each image.
        r: the last one; 0 before the first.
        tally: since p last changed: the sum of sign D(x), images, steps.
    """

    p: Tensor
    r: Tensor
    tally: Tensor

    def __init__(self, target: float = 0.6, ramp: int = 500_000) -> None:
        super().__init__()
        self.target, self.ramp = target, ramp
        self.register_buffer("p", torch.zeros(()))
        self.register_buffer("r", torch.zeros(()))
        self.register_buffer("tally", torch.zeros(3))

    def forward(self, x: Tensor, noise: Noise) -> Tensor:
        """Images `(B, C, H, W)` in [-1, 1] with random changes, the same shape; they may leave [-1, 1]."""
        n, _, h, w = x.shape
        x = warp(x, *Geometry.draw(noise, n, self.p).affine(h, w))
        return Colour.draw(noise, n, self.p)(x)

    @torch.no_grad()
    def update(self, real: Tensor, noise: Noise) -> None:
        """Take note of one step's outputs, and every four steps adjust p.

        Every process and every part of a batch calls it; p changes with the last part, to the same in all
        processes. So do it once a step and part, after the augmentation of what the outputs are for.

        Args:
            real: the discriminator's outputs on (augmented) real images `(B,)`, above 0 where it takes
                them for real: subtract what it is indifferent at, 1/2 for least squares, or the mean on
                fakes where only differences count (Wasserstein, relativistic).
            noise: of the batch: knows which part of it they are.
        """
        seen = torch.stack([real.sign().float().sum(), self.tally.new_full((), real.numel())])
        processes = 1
        if dist.is_available() and dist.is_initialized():
            # every step: whichever process saves a checkpoint saves what all have seen
            dist.all_reduce(seen)
            processes = dist.get_world_size()
        self.tally[:2] += seen
        parts = max(1, noise.shards // processes)
        if noise.shard % parts < parts - 1:
            return
        self.tally[2] += 1
        signs, images, steps = self.tally.clone()
        r, due = signs / images, steps == INTERVAL
        p = self.p + (r - self.target).sign() * images / self.ramp
        self.p.copy_(torch.where(due, p.clamp(0, 1), self.p))
        self.r.copy_(torch.where(due, r, self.r))
        self.tally *= ~due


class Geometry(NamedTuple):
    """Where pixels go: eight transforms one after the other, 0 for none; each `(B,)` (appendix B).

    Attributes:
        flip: 1: left and right exchanged.
        turns: by 90 degrees, counter-clockwise.
        right: by a share of the width, rounded to whole pixels.
        down: by a share of the height, likewise.
        size: log2 of a scale.
        before: an angle in radians, counter-clockwise.
        stretch: log2 of a scale of the width, and of 1 over that of the height.
        after: another angle.
        drift_right: by a share of the width, not rounded.
        drift_down: by a share of the height, likewise.
    """

    flip: Tensor
    turns: Tensor
    right: Tensor
    down: Tensor
    size: Tensor
    before: Tensor
    stretch: Tensor
    after: Tensor
    drift_right: Tensor
    drift_down: Tensor

    @classmethod
    def draw(cls, noise: Noise, n: int, p: Tensor) -> Geometry:
        """Each transform with probability p, for n images; rotation, before or after, likewise."""
        # P(before or after) = p
        half = 1 - (1 - p).sqrt()
        u, z, on = noise.uniform(n, 6).T, noise.normal(n, 4).T, noise.uniform(n, 8).T
        return cls(
            flip=(2 * u[0]).floor() * (on[0] < p),
            turns=(4 * u[1]).floor() * (on[1] < p),
            right=MOVE * (2 * u[2] - 1) * (on[2] < p),
            down=MOVE * (2 * u[3] - 1) * (on[2] < p),
            size=0.2 * z[0] * (on[3] < p),
            before=pi * (2 * u[4] - 1) * (on[4] < half),
            stretch=0.2 * z[1] * (on[5] < p),
            after=pi * (2 * u[5] - 1) * (on[6] < half),
            drift_right=0.125 * z[2] * (on[7] < p),
            drift_down=0.125 * z[3] * (on[7] < p),
        )

    def affine(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """The place u = A o + b of the input that is seen at o of the output: A `(B, 2, 2)`, b `(B, 2)`.

        Places are (x, y) in pixels from the centre, y downwards.
        """
        whole = torch.stack([(self.right * width).round(), (self.down * height).round()], dim=1)
        drift = torch.stack([self.drift_right * width, self.drift_down * height], dim=1)
        # the inverse of each, in the opposite order: u = F Q (S R_before S_aniso R_after (o - drift) - whole)
        stretched = torch.stack([(-self.stretch).exp2(), self.stretch.exp2()], dim=1)
        last = rotation(self.before) @ (stretched[:, :, None] * rotation(self.after))
        last = (-self.size).exp2()[:, None, None] * last
        # whole numbers, whatever cos(pi / 2) is
        first = rotation(self.turns * (pi / 2)).round()
        first = torch.stack([(1 - 2 * self.flip)[:, None] * first[:, 0], first[:, 1]], dim=1)
        moved = (last @ drift[:, :, None])[:, :, 0] + whole
        return first @ last, -(first @ moved[:, :, None])[:, :, 0]


class Colour(NamedTuple):
    """What colours become: five transforms one after the other, 0 for none; each `(B,)` (appendix B).

    With L the projection on the axis (1, 1, 1) of grey, b the brightness, c = 2^contrast, s = 2^saturation:

        x -> c ((1 - 2 invert) (L x + b) + s (cos(hue) (I - L) + sin(hue) K) x)

    and x -> c (x + b) where there are not three channels.

    Attributes:
        brightness: added to all channels.
        contrast: log2 of a factor of all channels.
        invert: 1: light and dark exchanged, hues kept.
        hue: an angle in radians, about the axis of grey.
        saturation: log2 of a factor of the distance from grey.
    """

    brightness: Tensor
    contrast: Tensor
    invert: Tensor
    hue: Tensor
    saturation: Tensor

    @classmethod
    def draw(cls, noise: Noise, n: int, p: Tensor) -> Colour:
        """Each transform with probability p, for n images."""
        u, z, on = noise.uniform(n, 2).T, noise.normal(n, 3).T, noise.uniform(n, 5).T
        return cls(
            brightness=0.2 * z[0] * (on[0] < p),
            contrast=0.5 * z[1] * (on[1] < p),
            invert=(2 * u[0]).floor() * (on[2] < p),
            hue=pi * (2 * u[1] - 1) * (on[3] < p),
            saturation=z[2] * (on[4] < p),
        )

    def __call__(self, x: Tensor) -> Tensor:
        """Images `(B, C, H, W)` with these colours."""
        each = [value.to(x.dtype)[:, None, None] for value in self]
        brightness, contrast, invert, hue, saturation = each
        c = contrast.exp2()
        if x.shape[1] != 3:
            return c[:, None] * (x + brightness[:, None])
        sign, eye = 1 - 2 * invert, torch.eye(3, dtype=x.dtype, device=x.device)
        grey = torch.full_like(eye, 1 / 3)
        # K x = (1, 1, 1) / sqrt(3) cross x
        cross = (eye.roll(1, 0) - eye.roll(-1, 0)) / sqrt(3)
        turned = hue.cos() * (eye - grey) + hue.sin() * cross
        matrix = c * (sign * grey + saturation.exp2() * turned)
        return (matrix @ x.flatten(2) + c * sign * brightness).view_as(x)


def rotation(angle: Tensor) -> Tensor:
    """What turns (x, y), y downwards, clockwise by angles `(B,)` in radians: `(B, 2, 2)`.

    The place seen after a turn counter-clockwise.
    """
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos, -sin, sin, cos], dim=1).unflatten(1, (2, 2))


def warp(x: Tensor, A: Tensor, b: Tensor) -> Tensor:
    """Images that show at o what the input shows at A o + b; places are (x, y) in pixels from the centre.

    Beyond the border the image goes on mirrored. It is doubled by a cubic and then read linearly, so that
    whole pixels stay exactly what they are. Gathers, not `grid_sample`: a gradient penalty differentiates
    this twice.

    Args:
        x: `(B, C, H, W)`, with sides of at least 2.
        A: `(B, 2, 2)`.
        b: `(B, 2)`.

    >>> x = torch.arange(6.0).reshape(1, 1, 2, 3)
    >>> warp(x, torch.eye(2)[None], torch.tensor([[1.0, 0.0]]))
    tensor([[[[1., 2., 1.],
              [4., 5., 4.]]]])
    """
    h, w = x.shape[2:]
    last_row, last_column = h - 1, w - 1
    right = torch.arange(w, device=A.device) - last_column / 2
    down = (torch.arange(h, device=A.device) - last_row / 2)[:, None]
    (xx, xy, yx, yy), (bx, by) = A.flatten(1)[:, :, None, None].unbind(1), b[:, :, None, None].unbind(1)
    row, f = _between(yx * right + yy * down + by + last_row / 2, last_row)
    column, g = _between(xx * right + xy * down + bx + last_column / 2, last_column)
    f, g = f[:, None].to(x.dtype), g[:, None].to(x.dtype)
    fine = _doubled(_doubled(x).mT).mT
    above = (1 - g) * _pick(fine, row, column) + g * _pick(fine, row, column + 1)
    below = (1 - g) * _pick(fine, row + 1, column) + g * _pick(fine, row + 1, column + 1)
    return (1 - f) * above + f * below


def _between(u: Tensor, last: int) -> tuple[Tensor, Tensor]:
    """The half pixel before places u, mirrored into 0..last, and how far behind it, in half pixels."""
    # a triangle wave of period 2 last
    u = 2 * (last - (u.remainder(2 * last) - last).abs())
    low = u.floor().clamp(max=2 * last - 1)
    return low.long(), u - low


def _doubled(x: Tensor) -> Tensor:
    """Rows of n values with those half way between: 2n - 1 (a cubic through four: -1, 9, 9, -1 over 16)."""
    wide = F.pad(x, (1, 1, 0, 0), mode="reflect")
    half = (9 * (x[..., :-1] + x[..., 1:]) - wide[..., :-3] - wide[..., 3:]) / 16
    return torch.cat([torch.stack([x[..., :-1], half], dim=-1).flatten(-2), x[..., -1:]], dim=-1)


def _pick(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """x at whole places that broadcast to `(B, H', W')`: `(B, C, H', W')`."""
    place = row * x.shape[3] + column
    picked = x.flatten(2).gather(2, place.flatten(1)[:, None].expand(-1, x.shape[1], -1))
    return picked.unflatten(2, place.shape[1:])
