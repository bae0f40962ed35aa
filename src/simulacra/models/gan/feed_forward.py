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

    def _make_generator(self) -> None:
        """Raises ConfigError for a net that does not fit the data."""
        spec, config = self.spec, self.config
        # more latent numbers than the data have leave more samples between modes
        latent_dim = config.latent_dim or (64 if spec.kind == "image" else spec.shape[0])
        self.input_space = LatentSpace.normal(latent_dim)
        self.spaces = (self.input_space,)
        style = nets.NormAct(config.norm, classes=self.classes)
        make = ClassConditional if self.classes else nets.decoder
        self.generator = make(latent_dim, spec.shape, self._settings(), style)

    def _discriminator(self, condition: Condition) -> nn.Module:
        config = self._settings()
        # leaky only where gradients have to come through (Radford et al. 2016)
        critic = Critic(
            self.spec.shape,
            config,
            config.features,
            config.batch_deviation,
            self.classes,
            condition,
        )
        if config.spectral_norm:
            for module in list(critic.modules()):
                if isinstance(module, nn.Linear | nn.Conv2d):
                    spectral_norm(module)
        return critic

    def _settings(self) -> GANConfig:
        """The settings with the kind of nets resolved."""
        if self.config.net != "auto":
            return self.config
        if nets.pick("auto", self.spec.shape) == "mlp":
            return replace(self.config, net="mlp")
        return replace(self.config, net="dcgan")
