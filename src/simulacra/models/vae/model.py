"""The variational autoencoder: its bound, its loss, its likelihood."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Elbo, Generates, ImportanceWeighted
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.models.autoencoder.model import Autoencoder
from simulacra.models.vae.card import CARD, VAEConfig
from simulacra.probability.distributions import kl_to_standard_normal, log_mean_exp

# Latents decoded at once by `log_weights`: enough to keep the cores busy, few enough for their caches.
DECODED_AT_ONCE = 512


class VAE(Generates, ImportanceWeighted, Autoencoder):
    """Variational autoencoder (Kingma and Welling 2014, Auto-Encoding Variational Bayes).

    Maximum likelihood for p(x) = E_{z ~ p(z)} p(x | z) is out of reach, its lower bound is not:

        ln p(x) >= ELBO = E_q(z|x) [ln p(x | z)] - KL(q(z | x) || p(z)),

    with a gap of KL(q(z | x) || p(z | x)).

    q(z | x) = N(mu, diag sigma^2) from the encoder, p(z) = N(0, I), p(x | z) from the decoder and any
    likelihood. With k samples the bound is the importance-weighted one (Burda et al. 2016, eq. 8).

    >>> import torch
    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.vae.card import VAEConfig
    >>> model = VAE(DataSpec("image", (1, 8, 8)), VAEConfig(latent_dim=4))
    >>> model.sample(5, seed=0).shape
    torch.Size([5, 1, 8, 8])
    >>> model.elbo(torch.rand(5, 1, 8, 8), seed=0).value.shape
    torch.Size([5])
    """

    players = {"vae": ("encoder", "decoder", "likelihood")}
    card = CARD
    takes_categories = True
    config: VAEConfig
    latent_parameters = 2

    def play(self, batch: Batch) -> Iterator[Turn]:
        x = self.observe(batch.x, batch.noise)
        warm = min(1.0, (batch.step + 1) / self.config.kl_warmup) if self.config.kl_warmup else 1.0
        beta = self.config.beta * warm
        if self.config.importance_samples > 1 and batch.step >= self.config.importance_from * batch.steps:
            k = self.config.importance_samples
            # L_k = log 1/k sum_i w_i (Burda et al. 2016, eq. 8)
            bound = log_mean_exp(self._log_weights(x, *self._posterior(x), batch.noise, k, beta)).mean()
            yield Turn("vae", -bound)
            return
        mu, sigma = self._posterior(x)
        # z = mu + sigma * eps (Kingma and Welling 2014, eq. 4)
        z = mu + sigma * batch.noise.normal(*mu.shape)
        reconstruction = self.decode(z).log_prob(x).mean()
        kl = penalised = kl_to_standard_normal(mu, sigma).sum() / len(x)
        if self.config.free_bits:
            # sum_j max(lambda, KL_j), KL_j averaged over the batch (Kingma et al. 2016, eq. 15)
            penalised = kl_to_standard_normal(mu, sigma).mean(dim=0).clamp(min=self.config.free_bits).sum()
        loss = beta * penalised - reconstruction
        yield Turn("vae", loss, {"reconstruction": reconstruction, "kl": kl})

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        elbo = self.elbo(self.observe(batch.x, batch.noise), batch.noise)
        return {"loss": -elbo.value, "reconstruction": elbo.reconstruction, "kl": elbo.kl}

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """The approximate posterior q(z | x) = N(mu, diag sigma^2) (Kingma and Welling 2014, eq. 9).

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`.
        """
        self.space(space)
        return Independent(Normal(*self._posterior(x), validate_args=False), 1, validate_args=False)

    def elbo(self, x: Tensor, seed: int | Noise = 0) -> Elbo:
        """Both terms with one sample of z for each example."""
        mu, sigma = self._posterior(x)
        z = mu + sigma * Noise.of(seed).normal(*mu.shape).to(mu)
        return Elbo(self.decode(z).log_prob(x), kl_to_standard_normal(mu, sigma).sum(dim=1))

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        """The importance-weighted bound with `samples` draws, which tends to ln p(x); `(B,)`."""
        return log_mean_exp(self.log_weights(x, seed, samples))

    def log_weights(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        """ln w = ln p(x, z) - ln q(z | x) for `samples` draws of z ~ q(z | x), `(B, samples)`."""
        noise = Noise.of(seed)
        mu, sigma = self._posterior(x)
        rows = max(1, DECODED_AT_ONCE // samples)
        groups = zip(x.split(rows), mu.split(rows), sigma.split(rows), strict=True)
        draws = [min(DECODED_AT_ONCE, samples - k) for k in range(0, samples, DECODED_AT_ONCE)]
        parts = []
        for x_group, mu_group, sigma_group in groups:
            log_w = [self._log_weights(x_group, mu_group, sigma_group, noise, k, beta=1.0) for k in draws]
            parts.append(torch.cat(log_w, dim=1))
        return torch.cat(parts)

    def _space(self) -> LatentSpace:
        return LatentSpace.normal(self.config.latent_dim)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of q(z | x), both `(B, Z)`."""
        mu, s = self._encoded(x).chunk(2, dim=1)
        return mu, F.softplus(s) + 1e-6

    def _log_weights(self, x: Tensor, mu: Tensor, sigma: Tensor, noise: Noise, k: int, beta: float) -> Tensor:
        """log w = log p(x | z) + beta (log p(z) - log q(z | x)) for k draws of z; `(B, k)`."""
        eps = noise.normal(len(x), k, mu.shape[1]).to(mu)  # (B, k, Z)
        z = mu[:, None] + sigma[:, None] * eps
        # log p(z) - log q(z | x): the normalising constants cancel but for sigma
        log_ratio = (0.5 * (eps**2 - z**2) + sigma.log()[:, None]).sum(dim=2)
        p = self.decode(z.flatten(0, 1))
        # every x k times, without a copy where there is one
        repeated = x[:, None].expand(-1, k, *x.shape[1:]).flatten(0, 1)
        log_p_x = p.log_prob(repeated).unflatten(0, (len(x), k))
        return log_p_x + beta * log_ratio
