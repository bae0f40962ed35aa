"""The class-conditional StyleGAN."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.capabilities import Styles
from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.core.noise import Noise
from simulacra.models.conditional_stylegan.card import CARD
from simulacra.models.gan.conditional import ClassConditionalModel, OfClass
from simulacra.models.stylegan.styled import StyledModel

# draws of z that the mean of w of a class is computed from
DRAWS = 1000


class ConditionalStyleGAN(ClassConditionalModel, StyledModel):
    """StyleGAN given classes (Karras et al. 2020, arXiv:2006.06676): w = f(z, y), a projection discriminator.

    A latent of w, w+ or s holds the class already; only z is decoded given a class. Samples are truncated
    towards the mean of w of their own class, as the mean over all classes is of none (Dobler et al. 2022,
    arXiv:2205.06254).

    >>> from simulacra.data.spec import DataSpec
    >>> spec = DataSpec("image", (1, 16, 16), classes=("cat", "dog"))
    >>> model = ConditionalStyleGAN(spec, CARD.Config(width=4))
    >>> model.sample(5, seed=0).shape, model.for_class("dog").sample(5, seed=0, truncation=0.7).shape
    (torch.Size([5, 1, 16, 16]), torch.Size([5, 1, 16, 16]))
    """

    card = CARD

    @property
    def spaces(self) -> tuple[LatentSpace, ...]:  # type: ignore[override]  # made from the nets as they are
        """The spaces w, z, w+ and s, with latents of all classes, as frequent as in the data."""
        dim = self.config.latent_dim

        def f(z: Tensor) -> Tensor:
            # the last number is a quantile of the classes
            return self.to_w(z[:, :dim], self.classes_at(torch.special.ndtr(z[:, dim]).to(self.device)))

        base = StandardNormal((dim + 1,))
        return self.style_spaces(base, f, lambda: self.mapping.w_avg, "f(z, y)", "z ~ N(0, I), y ~ p(y)")

    def spaces_of(self, y: int) -> tuple[LatentSpace, ...]:
        """The spaces w, z, w+ and s of one class."""
        return self.style_spaces(
            StandardNormal(self.input_space.shape),
            lambda z: self.to_w(z, torch.tensor([y], device=self.device)),
            lambda: self.mean_w(y),
            "f(z, y)",
            "z ~ N(0, I)",
        )

    @torch.no_grad()
    def mean_w(self, y: int) -> Tensor:
        """The mean of w `(W,)` of one class, over 1,000 draws of z, always the same."""
        z = self.input_space.sample(DRAWS, Noise(0))
        return self.to_w(z, torch.tensor([y], device=self.device)).mean(dim=0)

    def truncated(self, z: Tensor, y: Tensor, psi: float) -> Distribution:
        kinds, index = y.unique(return_inverse=True)
        means = torch.stack([self.mean_w(k) for k in kinds.tolist()])
        w = torch.lerp(means[index], self.to_w(z, y), psi)
        return self.synthesised(self.to_styles(w, "w"), self.fixed_noise)

    def for_class(self, y: int | str) -> StylesOfClass:
        """The model of one class, by its name or index: a generator with styles."""
        return StylesOfClass(self, self.class_index(y))

    def decode_weighted(self, z: Tensor, weights: Tensor, space: str | None = None) -> Distribution:
        """All mass on G(f(z, y)), y with the weighted mean of the classes' embeddings.

        Latents of w, w+ and s hold their class, and are decoded alike for all weights.
        """
        return self.synthesised(self.to_styles(z, self.space(space).name, weights), self.fixed_noise)


class StylesOfClass(Styles, OfClass):
    """A conditional StyleGAN with its class fixed."""

    model: ConditionalStyleGAN

    def __init__(self, model: ConditionalStyleGAN, y: int) -> None:
        super().__init__(model, y)
        self.spaces = model.spaces_of(y)

    @property
    def resolutions(self) -> tuple[int, ...]:
        return self.model.resolutions

    @property
    def fixed_noise(self) -> list[Tensor]:
        return self.model.fixed_noise

    @property
    def style_slices(self) -> list[slice]:
        return self.model.style_slices

    @property
    def style_layers(self) -> list[int]:
        return self.model.style_layers

    def channel_styles(self, w: Tensor) -> Tensor:
        return self.model.channel_styles(w)

    def decode_with_noise(self, z: Tensor, maps: Sequence[Tensor], space: str | None = None) -> Distribution:
        return self.model.synthesised(self.model.to_styles(z, self.space(space).name, self._class), maps)

    def styles(self, z: Tensor, space: str | None = None) -> Tensor:
        return self.model.to_stack(z, self.space(space).name, self._class)

    @property
    def _class(self) -> Tensor:
        return torch.tensor([self.y], device=self.device)
