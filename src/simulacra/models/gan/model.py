"""The generative adversarial network."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution

from simulacra.core.capabilities import Generates
from simulacra.models.gan.card import CARD
from simulacra.models.gan.feed_forward import FeedForwardGAN


class GAN(Generates, FeedForwardGAN):
    """Generative adversarial network (Goodfellow et al. 2014): see `AdversarialModel` for its game.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.gan.card import GANConfig
    >>> model = GAN(DataSpec("image", (3, 32, 32)), GANConfig(latent_dim=16))
    >>> model.sample(5, seed=0).shape
    torch.Size([5, 3, 32, 32])
    """

    card = CARD

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """All mass on G(z); the codes of a table have probabilities.

        Args:
            z: latents `(B, Z)`.
            space: only `z`, the default.

        Returns:
            A distribution over examples with a `mean` `(B, C, H, W)` in [0, 1], or `(B, D)`.
        """
        self.space(space)
        return self.decoded(z)
