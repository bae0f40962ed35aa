"""Nets of a ladder of latent groups: each group's distribution depends on the groups above it.

In whitened coordinates every latent is eps ~ N(0, I), and group l of the generator is

    z_l = mu_p(z_<l) + sigma_p(z_<l) eps_l.

The approximate posterior is relative to the prior (Vahdat and Kautz 2020, NVAE, arXiv:2007.03898, section
3.2): q(z_l | z_<l, x) = N(mu_p + sigma_p dmu, (sigma_p dsigma)^2) is q(eps_l | eps_<l, x) = N(dmu, dsigma^2).
Its parameters are the sum of what the encoder says about x, bottom-up, and of what the decoder says about the
groups above, top-down (Kingma et al. 2016, arXiv:1606.04934, section 4). So the encoder runs once for any
number of draws, and the parameters for every pair of an x and an eps are sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, prod, sqrt
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simulacra.nets.conv import channels, ladder
from simulacra.nets.mlp import MLP

# halve maps down to 3 to 5 pixels: 28, 14, 7, 4
SMALLEST = 3


def scale(s: Tensor) -> Tensor:
    """Softplus with beta = ln 2, which is 1 at 0.

    >>> scale(torch.zeros(2))
    tensor([1., 1.])
    """
    return F.softplus(s, beta=log(2))


class LadderLevels(NamedTuple):
    """The maps of a residual ladder from the finest, half as large as the image, to the coarsest.

    Attributes:
        sizes: height and width of each.
        groups: latent groups at each.
    """

    sizes: list[tuple[int, int]]
    groups: list[int]

    @classmethod
    def of(cls, shape: Sequence[int], groups: int) -> LadderLevels:
        """Spread `groups` groups over the maps of at most a quarter of the image's size, finer ones first.

        >>> LadderLevels.of((1, 28, 28), 5)
        LadderLevels(sizes=[(14, 14), (7, 7), (4, 4)], groups=[0, 3, 2])
        """
        sizes = ladder(shape[1:], SMALLEST)[1:]
        n = max(1, len(sizes) - 1)
        return cls(sizes, [0] * (len(sizes) - n) + [groups // n + (level < groups % n) for level in range(n)])


def map_shapes(shape: Sequence[int], groups: int, latent_channels: int) -> list[tuple[int, ...]]:
    """Shapes of the latent maps of a residual ladder for images, from the top down.

    >>> map_shapes((1, 28, 28), 3, 4)
    [(4, 4, 4), (4, 7, 7), (4, 7, 7)]
    """
    levels = LadderLevels.of(shape, groups)
    found: list[tuple[int, ...]] = [
        (latent_channels, *s) for s, n in zip(*levels, strict=True) for _ in range(n)
    ]
    return found[::-1]


class Bottleneck(nn.Module):
    """x + f(x), f convolutions of 1x1, 3x3, 3x3 and 1x1 with half the channels inside (Child 2021, figure 3).

    The last weights are divided by sqrt(blocks), so that the sum of all blocks of a net has a variance that
    does not grow with its depth (Child 2021, arXiv:2011.10650, section 4.2).
    """

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        inner = max(1, width // 2)
        last = nn.Conv2d(inner, width, 1)
        _divide(last, sqrt(blocks))
        self.residual = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, inner, 1),
            nn.ReLU(True),
            nn.Conv2d(inner, inner, 3, padding=1),
            nn.ReLU(True),
            nn.Conv2d(inner, inner, 3, padding=1),
            nn.ReLU(True),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.residual(x)
        return out


class BottomUp(nn.Module):
    """Residual maps with an output for every group: images `(B, C, H, W)` to parameters `(B, 2 Z)`.

    Args:
        shape: of an image.
        latent_dim: numbers of the group on top, a vector.
        latent_channels: channels of each of the other groups, maps.
        groups: how many these are.
        hidden: layers between the coarsest map and the parameters of the group on top.
        width: channels of the finest map, doubled at every halving.
        depth: blocks of each level that has groups.

    >>> net = BottomUp((1, 28, 28), 20, 4, groups=1, hidden=(64,), width=8, depth=1)
    >>> net(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 432])
    """

    def __init__(
        self,
        shape: Sequence[int],
        latent_dim: int,
        latent_channels: int,
        groups: int,
        hidden: Sequence[int],
        width: int,
        depth: int,
    ) -> None:
        super().__init__()
        levels = LadderLevels.of(shape, groups)
        widths = [shape[0], *channels(width, len(levels.sizes))]
        blocks = depth * sum(n > 0 for n in levels.groups)
        # the maps of each level, and what reads the parameters of its groups from them
        self.maps, self.heads = nn.ModuleList(), nn.ModuleList()
        for n, c_in, c_out in zip(levels.groups, widths[:-1], widths[1:], strict=True):
            layers: list[nn.Module] = [nn.Conv2d(c_in, c_out, 3, stride=2, padding=1)]
            layers += [Bottleneck(c_out, blocks) for _ in range(depth if n else 0)]
            self.maps.append(nn.Sequential(*layers, nn.ReLU(True)))
            self.heads.append(nn.Conv2d(c_out, 2 * n * latent_channels, 1) if n else nn.Identity())
        self.groups = levels.groups
        self.top = MLP((widths[-1], *levels.sizes[-1]), (2 * latent_dim,), hidden)

    def forward(self, x: Tensor) -> Tensor:
        found: list[Tensor] = []
        for maps, head, n in zip(self.maps, self.heads, self.groups, strict=True):
            x = maps(x)
            found += head(x).chunk(n, dim=1) if n else ()
        # from the top down: all mu, then all s
        return _in_halves([part.chunk(2, dim=1) for part in (self.top(x), *found[::-1])])


class TopDown(nn.Module):
    """A decoder that draws one latent group after the other; subclasses have the nets.

    Args:
        shapes: of the latents of each group, from the top down.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.shapes = list(shapes)

    def forward(self, xi: Tensor, bottom_up: Tensor | None = None) -> Any:
        """Decode latents; or draw them from the posterior of examples, and decode these.

        Args:
            xi: latents eps `(B, Z)`; with `bottom_up` standard normal numbers, from which the latents are
                drawn as eps = mu + sigma xi.
            bottom_up: the encoder's output `(B, 2 Z)`: all mu, then all s.

        Returns:
            The output, parameters of a likelihood, `(B, *outputs)`. With `bottom_up` also what the latents
            above add to the parameters, `(B, 2 Z)`: mu and s are `bottom_up` plus these, sigma = scale(s).
        """
        output, added = self._descend(xi, bottom_up)
        return output if bottom_up is None else (output, added)

    def top_down(self, eps: Tensor) -> Tensor:
        """What latents `(B, Z)` add to the parameters of the groups below them, `(B, 2 Z)`."""
        return self._descend(eps, None)[1]

    def _descend(self, xi: Tensor, bottom_up: Tensor | None) -> tuple[Tensor, Tensor]:
        raise NotImplementedError

    def _groups(
        self, xi: Tensor, bottom_up: Tensor | None
    ) -> list[tuple[Tensor, Tensor | None, Tensor | None]]:
        """xi, and mu and s of the bottom-up pass, of each group in its shape."""
        sizes = [prod(shape) for shape in self.shapes]

        def parts(flat: Tensor) -> list[Tensor]:
            each = flat.split(sizes, dim=1)
            return [part.unflatten(1, shape) for part, shape in zip(each, self.shapes, strict=True)]

        if bottom_up is None:
            return [(part, None, None) for part in parts(xi)]
        return list(zip(parts(xi), *(parts(half) for half in bottom_up.chunk(2, dim=1)), strict=True))


def _eps(xi: Tensor, mu: Tensor | None, s: Tensor | None, d_mu: Tensor, d_s: Tensor) -> Tensor:
    """A draw eps = mu + sigma xi with the parameters of both passes; xi itself without a bottom-up pass."""
    return xi if mu is None or s is None else mu + d_mu + scale(s + d_s) * xi


def _in_halves(found: Sequence[Sequence[Tensor]]) -> Tensor:
    """The first of each pair, flat and one after the other, then the second: `(B, 2 Z)`."""
    return torch.cat([part.flatten(1) for half in zip(*found, strict=True) for part in half], dim=1)


class LatentMap(nn.Module):
    """One group of maps: its parameters from the state above, and the state with its latents.

    Args:
        width: channels of the state.
        latent_channels: channels of the latents.
        blocks: of the whole net.
    """

    def __init__(self, width: int, latent_channels: int, blocks: int) -> None:
        super().__init__()
        self.parameters_from = nn.Sequential(nn.ReLU(), nn.Conv2d(width, 4 * latent_channels, 1))
        self.project = nn.Conv2d(latent_channels, width, 1)
        _divide(self.project, sqrt(blocks))

    def forward(
        self, state: Tensor, xi: Tensor, mu: Tensor | None, s: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The next state, and what is added to mu and s."""
        mu_p, s_p, d_mu, d_s = self.parameters_from(state).to(xi.dtype).chunk(4, dim=1)
        # z = mu_p + sigma_p eps
        z = mu_p + scale(s_p) * _eps(xi, mu, s, d_mu, d_s)
        return state + self.project(z), d_mu, d_s


class ResNetTopDown(TopDown):
    """A vector on top, then residual maps that double in size, with latent maps: `(B, Z)` to images.

    Args:
        outputs: shape of the output, `(C, H, W)`.
        latent_dim, latent_channels, groups, hidden, width: as of `BottomUp`, which it mirrors.
        depth: blocks of each group, and of each level without a group.

    >>> net = ResNetTopDown((1, 28, 28), 20, 4, groups=1, hidden=(64,), width=8, depth=1)
    >>> output, added = net(torch.zeros(2, 216), torch.zeros(2, 432))
    >>> output.shape, added.shape
    (torch.Size([2, 1, 28, 28]), torch.Size([2, 432]))
    """

    def __init__(
        self,
        outputs: Sequence[int],
        latent_dim: int,
        latent_channels: int,
        groups: int,
        hidden: Sequence[int],
        width: int,
        depth: int,
    ) -> None:
        super().__init__([(latent_dim,), *map_shapes(outputs, groups, latent_channels)])
        levels = LadderLevels.of(outputs, groups)
        sizes, widths = levels.sizes[::-1], channels(width, len(levels.sizes))[::-1]
        blocks = (1 + depth) * groups + depth * levels.groups.count(0)
        self.top = MLP((latent_dim,), (widths[0], *sizes[0]), hidden)
        # what leads to each group; the last leads to the output
        self.groups, self.between = nn.ModuleList(), nn.ModuleList()
        layers: list[nn.Module] = []
        larger = [*sizes[1:], (outputs[1], outputs[2])]
        for n, size, c_in, c_out in zip(
            levels.groups[::-1], larger, widths, [*widths[1:], outputs[0]], strict=True
        ):
            for _ in range(n):
                self.between.append(nn.Sequential(*layers))
                self.groups.append(LatentMap(c_in, latent_channels, blocks))
                layers = [Bottleneck(c_in, blocks) for _ in range(depth)]
            if n == 0:
                layers += [Bottleneck(c_in, blocks) for _ in range(depth)]
            layers += [nn.ReLU(True), Enlarge(c_in, c_out, size)]
        self.between.append(nn.Sequential(*layers))

    def _descend(self, xi: Tensor, bottom_up: Tensor | None) -> tuple[Tensor, Tensor]:
        (xi_top, mu, s), *others = self._groups(xi, bottom_up)
        zero = torch.zeros_like(xi_top)
        state, found = self.top(_eps(xi_top, mu, s, zero, zero)), [(zero, zero)]
        # as the convolutions of a CPU in training
        state = state.contiguous(memory_format=torch.channels_last)
        *leads, last = self.between
        for lead, group, latents in zip(leads, self.groups, others, strict=True):
            state, d_mu, d_s = group(lead(state), *latents)
            found.append((d_mu, d_s))
        return last(state).to(xi.dtype), _in_halves(found).to(xi.dtype)


class MLPTopDown(TopDown):
    """Vectors, each a function of all those above it: `(B, Z)` to `(B, *outputs)`.

    With hidden layers () everything is linear, and the model a linear-Gaussian one.

    Args:
        outputs: shape of the output.
        latent_dim: numbers of each group.
        groups: how many there are.
        hidden: hidden layers of the net of each group, and of the output.

    >>> output, added = MLPTopDown((5,), 2, groups=3, hidden=(8,))(torch.zeros(4, 6), torch.zeros(4, 12))
    >>> output.shape, added.shape
    (torch.Size([4, 5]), torch.Size([4, 12]))
    """

    def __init__(self, outputs: Sequence[int], latent_dim: int, groups: int, hidden: Sequence[int]) -> None:
        super().__init__([(latent_dim,)] * groups)
        self.groups = nn.ModuleList(
            MLP((above * latent_dim,), (4 * latent_dim,), hidden) for above in range(1, groups)
        )
        self.output = MLP((groups * latent_dim,), outputs, hidden)

    def _descend(self, xi: Tensor, bottom_up: Tensor | None) -> tuple[Tensor, Tensor]:
        (xi_top, mu, s), *others = self._groups(xi, bottom_up)
        zero = torch.zeros_like(xi_top)
        z, found = _eps(xi_top, mu, s, zero, zero), [(zero, zero)]
        for net, (xi_l, mu, s) in zip(self.groups, others, strict=True):
            mu_p, s_p, d_mu, d_s = net(z).to(xi.dtype).chunk(4, dim=1)
            # z = mu_p + sigma_p eps
            z = torch.cat([z, mu_p + scale(s_p) * _eps(xi_l, mu, s, d_mu, d_s)], dim=1)
            found.append((d_mu, d_s))
        return self.output(z).to(xi.dtype), _in_halves(found).to(xi.dtype)


def _divide(conv: nn.Conv2d, by: float) -> None:
    with torch.no_grad():
        conv.weight /= by


class Enlarge(nn.ConvTranspose2d):
    """A transposed convolution to maps of twice the size, less one row or column where the size is odd."""

    def __init__(self, c_in: int, c_out: int, size: tuple[int, int]) -> None:
        # (n - 1) 2 - 2 + kernel: 2 n with kernel 4, 2 n - 1 with kernel 3
        super().__init__(c_in, c_out, (4 - size[0] % 2, 4 - size[1] % 2), stride=2, padding=1)
