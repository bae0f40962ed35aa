"""The game of StyleGAN (Karras et al. 2019, 2020): that of a GAN, whose generator has a mapping network.

A share of the images is made with two latents, whose styles take turns at a random layer (mixing
regularisation, Karras et al. 2019, section 3.1), and the mean of w is kept for truncation. Where it is due
(every 4 steps), the generator is penalised for steps in w that do not change the image by a constant amount
(path length regularisation, Karras et al. 2020, eq. 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.core.batch import Batch
from simulacra.core.latents import LatentSpace, Prior, Pushforward
from simulacra.core.model import unwrap
from simulacra.core.noise import Noise
from simulacra.data.spec import DataSpec
from simulacra.errors import ConfigError
from simulacra.models.gan.adversarial import AdversarialModel
from simulacra.models.stylegan.card import StyleGANConfig
from simulacra.nets.critic import Condition
from simulacra.nets.style import MappingNetwork, Synthesis
from simulacra.nets.style_critic import StyleCritic
from simulacra.probability.distributions import Delta

# share of the mean of w that a step replaces, and of the mean path length that a penalty replaces
W_MEMORY, PATH_MEMORY = 0.005, 0.01
# steps between path length penalties, and the part of a batch that they are computed on
PATH_LAZY, PATH_SHARE = 4, 2
# channels at full size times side (Karras et al. 2020)
PAPER_WIDTH = 2**15
# side in pixels from which on path length is regularised
PATH_SIDE = 128


class StyledModel(AdversarialModel):
    """Mapping and synthesis network against a residual discriminator, with or without classes.

    Attributes:
        path_average: moving average of path lengths.
    """

    players = {"discriminator": ("discriminator",), "generator": ("mapping", "generator")}
    training_only = ("path_average",)
    config: StyleGANConfig
    path_average: Tensor

    def __init__(self, spec: DataSpec, config: StyleGANConfig, classes: int = 0) -> None:
        """Raises ConfigError for settings that cannot be."""
        super().__init__(spec, config, classes)
        weight = config.path_length
        self.path_weight = (2.0 if spec.shape[1] >= PATH_SIDE else 0.0) if weight is None else weight
        self.register_buffer("path_average", torch.zeros(()))
        # always the same, so that decoding is a function of the latent
        noise = Noise(0)
        for i, values in enumerate(self.generator.noise(1, noise.normal)):
            self.register_buffer(f"noise_{i}", values, persistent=False)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        # weights from elsewhere come with noise maps, which are kept with them
        for i, values in enumerate(self.fixed_noise):
            if f"{prefix}noise_{i}" in state_dict:
                self.register_buffer(f"noise_{i}", values)
        super()._load_from_state_dict(state_dict, prefix, *others)

    def _make_generator(self) -> None:
        spec, config, dim = self.spec, self.config, self.config.latent_dim
        self.input_space = LatentSpace.normal(dim)
        self.mapping = MappingNetwork(dim, dim, config.mapping_depth, self.classes)
        self.generator: Synthesis = Synthesis(
            spec.shape, dim, self.width, config.widest, config.synthesis, config.modulation
        )

    def _discriminator(self, condition: Condition) -> nn.Module:
        config = self.config
        return StyleCritic(
            self.spec.shape,
            self.width,
            config.widest,
            config.discriminator,
            config.batch_deviation,
            self.classes,
        )

    @property
    def width(self) -> int:
        """Channels at full size."""
        return self.config.width or max(1, PAPER_WIDTH // self.spec.shape[1])

    @property
    def resolutions(self) -> tuple[int, ...]:
        return self.generator.resolutions

    @property
    def fixed_noise(self) -> list[Tensor]:
        return [self.get_buffer(f"noise_{i}") for i in range(len(self.generator.layers))]

    @property
    def style_slices(self) -> list[slice]:
        ends = torch.tensor(self.generator.style_sizes).cumsum(0).tolist()
        return [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]

    @property
    def style_layers(self) -> list[int]:
        return list(self.generator.controls)

    def channel_styles(self, w: Tensor) -> Tensor:
        s: Tensor = self.generator.styles(w)
        return s

    def style_spaces(
        self, base: Prior, f: Callable[[Tensor], Tensor], mean: Callable[[], Tensor], w: str, law: str
    ) -> tuple[LatentSpace, ...]:
        """The spaces w, z, w+ and s.

        Args:
            base: the distribution of what w is made of.
            f: makes latents w `(N, W)` of it.
            mean: gives the mean of w `(W,)`.
            w: how reports write w, e.g. `f(z)`.
            law: how they write its base, e.g. `z ~ N(0, I)`.
        """

        def prior(name: str, formula: str) -> Prior:
            return Pushforward(
                base,
                lambda z: self._from_w(f(z), name),
                lambda: self._from_w(mean()[None], name)[0].detach(),
                f"{formula}, {law}",
            )

        dim, layers = self.config.latent_dim, len(self.resolutions)
        return (
            LatentSpace("w", (dim,), prior("w", w)),
            self.input_space,
            LatentSpace("w+", (layers, dim), prior("w+", f"{w} for every layer")),
            LatentSpace("s", (sum(self.generator.style_sizes),), prior("s", f"A {w} + b")),
        )

    def to_w(self, z: Tensor, *y: Tensor) -> Tensor:
        """w = f(z), or f(z, y), `(B, W)` of z `(B, Z)`; y `(B,)` or `(1,)`, or weights of the classes."""
        w: Tensor = self.mapping(z.to(self.device), *(one.expand(len(z), *one.shape[1:]) for one in y))
        return w

    def _from_w(self, w: Tensor, space: str) -> Tensor:
        """Latents w `(B, W)` as those of `w`, `w+` or `s`."""
        if space == "w":
            return w
        stack = w[:, None].expand(-1, len(self.resolutions), -1)
        return stack if space == "w+" else self.channel_styles(stack)

    def to_styles(self, z: Tensor, space: str, *y: Tensor) -> Tensor:
        """Latents of z, w or w+ as w+ `(B, L, W)`; of s as they are, `(B, S)`."""
        if space == "z":
            z = self.to_w(z, *y)
        return self._from_w(z, "w+") if space in ("z", "w") else z

    def to_stack(self, z: Tensor, space: str, *y: Tensor) -> Tensor:
        """Latents of z, w or w+ as w+ `(B, L, W)`.

        Raises:
            ConfigError: they are of `s`, which has no w.
        """
        if space == "s":
            raise ConfigError("styles: latents of s are styles already; give some of z, w or w+")
        return self.to_styles(z, space, *y)

    def synthesised(self, styles: Tensor, maps: Sequence[Tensor]) -> Distribution:
        """All mass on the image of styles, w+ `(B, L, W)` or s `(B, S)`, and noise maps."""
        return Delta(self.standardise.inverse(self.generator(styles, maps)).clamp(0, 1))

    def decoded(self, z: Tensor, *y: Tensor) -> Distribution:
        """All mass on G(f(z)), or G(f(z, y))."""
        return self.synthesised(self.to_styles(z, "z", *y), self.fixed_noise)

    @property
    def _unwrapped(self) -> tuple[Synthesis, MappingNetwork]:
        return cast(Synthesis, unwrap(self.generator)), cast(MappingNetwork, unwrap(self.mapping))

    def _generate_standardised(self, z: Tensor, *y: Tensor, noise: Noise) -> Tensor:
        n, net, mapping = len(z), *self._unwrapped
        layers = len(net.resolutions)
        # one call for both latents: under several processes a net is called once
        two = torch.cat([z, noise.normal(n, z.shape[1])])
        w, other = self.mapping(two, *(torch.cat([one, one]) for one in y)).chunk(2)
        _move_average(mapping.w_avg, w.mean(dim=0), W_MEMORY, noise)
        # the layer from which on the other latent gives the styles; L where it gives none
        mixed, cut = noise.uniform(n, 2).unbind(1)
        first = torch.where(mixed < self.config.mixing, 1 + (cut * (layers - 1)).floor(), layers)
        own = torch.arange(layers, device=z.device) < first[:, None]
        styles = torch.where(own[:, :, None], w[:, None], other[:, None])
        x: Tensor = self.generator(styles, net.noise(n, noise.normal))
        return x

    def _generator_penalty(self, batch: Batch, y: tuple[Tensor, ...]) -> Tensor | None:
        """Path length regularisation, on part of a batch, where it is due."""
        if not self.path_weight or batch.step % PATH_LAZY:
            return None
        n = max(1, len(batch) // PATH_SHARE)
        z = self.input_space.sample(n, batch.noise)
        # neither net can be differentiated twice under DDP
        net, mapping = self._unwrapped
        w = mapping(z, *(one[:n] for one in y))
        styles = w[:, None].expand(-1, len(net.resolutions), -1)
        x = net(styles, net.noise(n, batch.noise.normal))
        # |J_w^T n| with n ~ N(0, I), J_w^T n = d(x . n) / dw, over sqrt(pixels)
        direction = batch.noise.normal(*x.shape) / sqrt(x.shape[2] * x.shape[3])
        (slope,) = torch.autograd.grad((x * direction).sum(), styles, create_graph=True)
        lengths = slope.square().sum(dim=2).mean(dim=1).sqrt()
        _move_average(self.path_average, lengths.mean(), PATH_MEMORY, batch.noise)
        # E (|J^T n| - a)^2, a the average
        return PATH_LAZY * self.path_weight * (lengths - self.path_average).square().mean()


@torch.no_grad()
def _move_average(average: Tensor, value: Tensor, share: float, noise: Noise) -> None:
    """Move an average towards a step's value, the mean over all processes."""
    value, processes = value.detach().clone(), 1
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(value)
        processes = dist.get_world_size()
    # parts of a batch come one after the other, and weigh the same in the end
    parts = max(1, noise.shards // processes)
    later = parts - 1 - noise.shard % parts
    average.lerp_(value / processes, share / (parts - later * share))
