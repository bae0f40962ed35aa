"""A GAN whose generator takes z as its input, with the nets that are chosen by `--net`."""

from __future__ import annotations

from dataclasses import replace

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from simulacra import nets
from simulacra.core.latents import LatentSpace
from simulacra.models.gan.adversarial import AdversarialModel
from simulacra.models.gan.card import GANConfig
from simulacra.nets.class_conditional import ClassConditional
from simulacra.nets.critic import Condition, Critic


class FeedForwardGAN(AdversarialModel):
    """The game of `AdversarialModel` between the nets of `simulacra.nets`."""

    config: GANConfig

    def _make_nets(self, condition: Condition) -> None:
        """Raises ConfigError for nets that do not fit the data."""
        spec, config, classes = self.spec, self.config, self.classes
        # more latent numbers than the data have leave more samples between modes
        latent_dim = config.latent_dim or (64 if spec.kind == "image" else spec.shape[0])
        self.input_space = LatentSpace.normal(latent_dim)
        self.spaces = (self.input_space,)
        if config.net == "auto":
            config = replace(config, net="dcgan" if nets.pick("auto", spec.shape) == "conv" else "mlp")
        style = nets.NormAct(config.norm, classes=classes)
        make = ClassConditional if classes else nets.decoder
        self.generator: nn.Module = make(latent_dim, spec.shape, config, style)
        # leaky only where gradients have to come through (Radford et al. 2016)
        self.discriminator: nn.Module = Critic(
            spec.shape, config, config.discriminator_features, config.batch_deviation, classes, condition
        )
        if config.spectral_norm:
            for module in list(self.discriminator.modules()):
                if isinstance(module, nn.Linear | nn.Conv2d):
                    spectral_norm(module)
