"""Nets for a velocity field v(x, t): of vectors or of maps, given the time and perhaps a class.

Their last layer starts at zero, and so does v.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.conv import ladder
from simulacra.nets.layers import norm

# sines and cosines of the time, and units of the embedding of time and class
FEATURES, EMBEDDING = 64, 256
# channels of a head of attention, about
HEAD = 32


def zeroed(layer: nn.Linear | nn.Conv2d) -> nn.Module:
    """The layer with weights and biases of zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class TimeEmbedding(nn.Module):
    """Times `(B,)` in [0, 1], and classes `(B,)` where there are some, to `(B, EMBEDDING)`.

    Sines and cosines of frequencies from 1000 down to 0.1 (Vaswani et al. 2017, section 3.5; Ho et al. 2020),
    then an MLP; the embedding of a class is added. Class `classes` stands for no class.
    """

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * FEATURES, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING)
        )
        self.classes = nn.Embedding(classes + 1, EMBEDDING) if classes else None

    def forward(self, t: Tensor, y: Tensor | None = None) -> Tensor:
        exponent = torch.arange(FEATURES, device=t.device, dtype=t.dtype) / FEATURES
        angle = 1000 * t[:, None] * torch.exp(-log(10_000) * exponent)
        h: Tensor = self.mlp(torch.cat([angle.sin(), angle.cos()], dim=1))
        if self.classes is not None and y is not None:
            h = h + self.classes(y)
        return F.silu(h)


class FiLM(nn.Module):
    """(1 + s) h + b, scale s and shift b of every channel from the embedding (Perez et al. 2018, eq. 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.affine = zeroed(nn.Linear(EMBEDDING, 2 * channels))

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        s, b = (part.view(*part.shape, *(1 for _ in h.shape[2:])) for part in self.affine(e).chunk(2, dim=1))
        return (1 + s) * h + b


class MLPBlock(nn.Module):
    """linear(silu(film(norm(h)))); added to h where that is as large."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inputs, elementwise_affine=False)
        self.film, self.linear = FiLM(inputs), nn.Linear(inputs, outputs)

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        out: Tensor = self.linear(F.silu(self.film(self.norm(h), e)))
        return h + out if out.shape == h.shape else out


class MLPVelocity(nn.Module):
    """A residual MLP on examples of any shape: x `(B, *shape)`, t `(B,)`, y `(B,)` to `(B, *shape)`.

    >>> MLPVelocity((5,), hidden=(32, 32))(torch.zeros(2, 5), torch.rand(2)).shape
    torch.Size([2, 5])
    """

    def __init__(self, shape: Sequence[int], hidden: Sequence[int], classes: int = 0) -> None:
        super().__init__()
        self.embedding = TimeEmbedding(classes)
        self.first = nn.Linear(prod(shape), hidden[0])
        sizes = zip(hidden, [*hidden[1:], hidden[-1]], strict=True)
        self.blocks = nn.ModuleList(MLPBlock(n_in, n_out) for n_in, n_out in sizes)
        self.last = zeroed(nn.Linear(hidden[-1], prod(shape)))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        e, h = self.embedding(t, y), self.first(x.flatten(1))
        for block in self.blocks:
            h = block(h, e)
        out: Tensor = self.last(F.silu(h))
        return out.view_as(x)


class ResidualBlock(nn.Module):
    """Two convolutions of maps, the embedding between them; the second starts at zero (Ho et al. 2020)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.before = nn.Sequential(
            *norm("group", inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        self.norm, self.film = norm("group", outputs)[0], FiLM(outputs)
        self.after = zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        h = self.film(self.norm(self.before(x)), e)
        out: Tensor = self.skip(x) + self.after(F.silu(h))
        return out


class ResidualBlocks(nn.Module):
    """Residual blocks, one after the other, all but the first with as many inputs as outputs."""

    def __init__(self, inputs: int, outputs: int, depth: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(outputs if i else inputs, outputs) for i in range(depth))

    def forward(self, h: Tensor, e: Tensor) -> Tensor:
        for block in self.blocks:
            h = block(h, e)
        return h


class Attention(nn.Module):
    """Self-attention between all places of maps (Vaswani et al. 2017), added to them; it starts at zero."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = next(h for h in range(max(1, channels // HEAD), 0, -1) if channels % h == 0)
        self.norm = norm("group", channels)[0]
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.project = zeroed(nn.Conv2d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        # (3, B, heads, places, channels of a head)
        parts = self.qkv(self.norm(x)).flatten(2).unflatten(1, (3, self.heads, -1))
        q, k, v = parts.permute(1, 0, 2, 4, 3)
        h = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(x.shape)
        out: Tensor = x + self.project(h)
        return out


class UNetVelocity(nn.Module):
    """A U-Net on maps: x `(B, C, H, W)`, t `(B,)`, y `(B,)` to `(B, C, H, W)` (Ho et al. 2020, appendix B).

    The maps are halved down to 4 to 7 pixels, where places attend to each other, and doubled again; each
    level has `depth` residual blocks on both sides, joined by a skip, on `width` channels, twice and four
    times as many further down.

    >>> UNetVelocity((4, 8, 8), width=16, depth=1)(torch.zeros(2, 4, 8, 8), torch.rand(2)).shape
    torch.Size([2, 4, 8, 8])
    """

    def __init__(self, shape: Sequence[int], width: int, depth: int, classes: int = 0) -> None:
        super().__init__()
        sizes = ladder(shape[1:])
        widths = [width * 2 ** min(level, 2) for level in range(len(sizes))]
        self.embedding = TimeEmbedding(classes)
        self.first = nn.Conv2d(shape[0], width, 3, padding=1)
        self.down, self.reduce = nn.ModuleList(), nn.ModuleList()
        self.up, self.enlarge = nn.ModuleList(), nn.ModuleList()
        for c, wider, size in zip(widths, widths[1:], sizes, strict=False):
            self.down.append(ResidualBlocks(c, c, depth))
            self.reduce.append(nn.Conv2d(c, wider, 3, stride=2, padding=1))
            self.enlarge.append(nn.Sequential(nn.Upsample(size), nn.Conv2d(wider, c, 3, padding=1)))
            self.up.append(ResidualBlocks(2 * c, c, depth))
        self.middle = nn.ModuleList(ResidualBlock(widths[-1], widths[-1]) for _ in range(2))
        self.attention = Attention(widths[-1])
        self.last = nn.Sequential(
            *norm("group", width), nn.SiLU(), zeroed(nn.Conv2d(width, shape[0], 3, padding=1))
        )

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        e, h = self.embedding(t, y), self.first(x)
        skips: list[Tensor] = []
        for blocks, reduce in zip(self.down, self.reduce, strict=True):
            skips.append(blocks(h, e))
            h = reduce(skips[-1])
        h = self.middle[1](self.attention(self.middle[0](h, e)), e)
        for blocks, enlarge in zip(reversed(self.up), reversed(self.enlarge), strict=True):
            h = blocks(torch.cat([enlarge(h), skips.pop()], dim=1), e)
        out: Tensor = self.last(h)
        return out
