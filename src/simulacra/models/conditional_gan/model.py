"""The conditional GAN."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution

from simulacra.data.spec import DataSpec
from simulacra.models.conditional_gan.card import CARD, ConditionalGANConfig
from simulacra.models.gan.conditional import ClassConditionalModel, OfClass
from simulacra.models.gan.feed_forward import FeedForwardGAN


class ConditionalGAN(ClassConditionalModel, FeedForwardGAN):
    """Conditional GAN (Mirza and Osindero 2014): generator and discriminator are conditioned on the class.

    The discriminator decides whether an example is real *and* of its class, by projection (Miyato and Koyama
    2018) or with the class concatenated to its input. The generator's input is z and the class; with `norm`
    the class also has its own scales and shifts.

    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.conditional_gan.card import ConditionalGANConfig
    >>> model = ConditionalGAN(DataSpec("image", (1, 32, 32), classes=("cat", "dog")), ConditionalGANConfig())
    >>> model.sample(5, seed=0).shape, model.for_class(1).sample(5, seed=0).shape
    (torch.Size([5, 1, 32, 32]), torch.Size([5, 1, 32, 32]))
    """

    card = CARD
    config: ConditionalGANConfig

    def __init__(self, spec: DataSpec, config: ConditionalGANConfig) -> None:
        """Raises ConfigError for settings that cannot be, or data without labels."""
        super().__init__(spec, config, config.condition)

    def for_class(self, y: int | str) -> OfClass:
        """The model of one class, by its name or index: an unconditional generator."""
        return OfClass(self, self.class_index(y))

    def decode_weighted(self, z: Tensor, weights: Tensor, space: str | None = None) -> Distribution:
        """All mass on G(z, y), y with weighted means of the classes' embeddings, scales and shifts."""
        self.space(space)
        return self.decoded(z, weights)
