"""StyleGAN."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.capabilities import Styles
from simulacra.core.latents import LatentSpace, StandardNormal
from simulacra.models.stylegan.card import CARD
from simulacra.models.stylegan.styled import StyledModel


class StyleGAN(StyledModel, Styles):
    """StyleGAN (Karras et al. 2019, 2020): a generator with a style and noise for each layer.

    Its default space is w, in which samples are drawn and truncated. Noise maps are fixed, so that decoding
    is a function of the latent; `decode_with_noise` takes others.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.stylegan.card import StyleGANConfig
    >>> model = StyleGAN(DataSpec("image", (3, 32, 32)), StyleGANConfig(latent_dim=16, width=4))
    >>> model.sample(5, seed=0, truncation=0.7).shape, [space.name for space in model.spaces]
    (torch.Size([5, 3, 32, 32]), ['w', 'z', 'w+', 's'])
    """

    card = CARD

    @property
    def spaces(self) -> tuple[LatentSpace, ...]:  # type: ignore[override]  # made from the nets as they are
        base = StandardNormal(self.input_space.shape)
        return self.style_spaces(base, self.to_w, lambda: self.mapping.w_avg, "f(z)", "z ~ N(0, I)")

    def decode_with_noise(self, z: Tensor, maps: Sequence[Tensor], space: str | None = None) -> Distribution:
        return self.synthesised(self.to_styles(z, self.space(space).name), maps)

    def styles(self, z: Tensor, space: str | None = None) -> Tensor:
        return self.to_stack(z, self.space(space).name)
