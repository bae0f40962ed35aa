"""The variational autoencoder: its nets, with one group of latents or a ladder of them."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra import nets
from simulacra.core.latents import LatentSpace
from simulacra.models.autoencoder.model import Autoencoder
from simulacra.models.vae.card import CARD, VAEConfig
from simulacra.models.vae.posterior import LadderPosterior
from simulacra.models.vae.variational import Draw, Variational
from simulacra.nets import top_down


class VAE(Variational, Autoencoder):
    """Variational autoencoder (Kingma and Welling 2014, Auto-Encoding Variational Bayes).

    p(x | z) is of any likelihood, its parameters from the decoder; `Variational` has the bound.

    With several groups the latents are a ladder (Sonderby et al. 2016, arXiv:1602.02282; Vahdat and Kautz
    2020, arXiv:2007.03898): the decoder draws one group after the other, from distributions that depend on
    the groups above. z are the whitened latents of all groups, one after the other, so that p(z) = N(0, I);
    q(z | x) is the product over groups of N(mu, diag sigma^2), mu and sigma functions of x and the groups
    above (`simulacra.nets.top_down`).

    >>> import torch
    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.vae.card import VAEConfig
    >>> model = VAE(DataSpec("image", (1, 8, 8)), VAEConfig(latent_dim=4))
    >>> model.sample(5, seed=0).shape
    torch.Size([5, 1, 8, 8])
    >>> model.elbo(torch.rand(5, 1, 8, 8), seed=0).value.shape
    torch.Size([5])
    >>> ladder = VAE(DataSpec("image", (1, 8, 8)), VAEConfig(latent_dim=4, groups=3, net="resnet", width=8))
    >>> ladder.group_shapes, ladder.latent.shape
    ([(4,), (4, 4, 4), (4, 4, 4)], (132,))

    Attributes:
        group_shapes: shape of the latents of each group, from the top down.
    """

    players = {"vae": ("encoder", "decoder", "likelihood")}
    card = CARD
    takes_categories = True
    config: VAEConfig
    latent_parameters = 2

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """The approximate posterior q(z | x) (Kingma and Welling 2014, eq. 9).

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`: N(mu, diag sigma^2), or a `LadderPosterior`.
        """
        if isinstance(self.decoder, top_down.TopDown):
            self.space(space)
            return LadderPosterior(self._encoded(x), self.decoder)
        return super().encode(x, space)

    @property
    def group_shapes(self) -> list[tuple[int, ...]]:
        config = self.config
        if config.groups > 1 and self._is_residual:
            maps = top_down.map_shapes(self.spec.shape, config.groups - 1, config.latent_channels)
            return [(config.latent_dim,), *maps]
        return [(config.latent_dim,)] * config.groups

    @property
    def latent_groups(self) -> list[int]:
        return [prod(shape) for shape in self.group_shapes] if self.config.groups > 1 else []

    def _space(self) -> LatentSpace:
        return LatentSpace.normal(sum(prod(shape) for shape in self.group_shapes))

    @property
    def _is_residual(self) -> bool:
        """Whether the groups of a ladder are maps."""
        kind = nets.pick(self.config.net, self.spec.shape)
        return kind == "resnet" or (self.config.net == "auto" and kind != "mlp")

    def _nets(self, outputs: tuple[int, ...]) -> tuple[nn.Module, nn.Module]:
        config, (dim,) = self.config, self.latent.shape
        if config.groups == 1:
            return super()._nets(outputs)
        if not self._is_residual:
            encoder = nets.encoder(self.spec.shape, self.latent_parameters * dim, config)
            hidden = config.hidden[::-1]
            return encoder, top_down.MLPTopDown(outputs, config.latent_dim, config.groups, hidden)
        sizes = (config.latent_dim, config.latent_channels, config.groups - 1)
        return (
            top_down.BottomUp(self.spec.shape, *sizes, config.hidden, config.width, config.depth),
            top_down.ResNetTopDown(outputs, *sizes, config.hidden[::-1], config.width, config.depth),
        )

    def _posterior(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        if self.config.groups == 1:
            return super()._posterior(parameters)
        mu, s = parameters.chunk(2, dim=1)
        return mu, top_down.scale(s)

    def _draw(self, bottom_up: Tensor, xi: Tensor) -> Draw:
        if self.config.groups == 1:
            return super()._draw(bottom_up, xi)
        b, k, _ = xi.shape
        repeated = bottom_up[:, None].expand(-1, k, -1).flatten(0, 1)
        output, added = self.decoder(xi.flatten(0, 1), repeated)
        mu, sigma = (part.unflatten(0, (b, k)) for part in self._posterior(repeated + added))
        return Draw(mu + sigma * xi, mu, sigma, added, self._likelihood_of(output))
