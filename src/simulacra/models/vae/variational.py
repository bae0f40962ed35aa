"""Variational inference: the bound, its loss and its estimates, for any encoder and any decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from simulacra.core.batch import Batch
from simulacra.core.capabilities import Elbo, Generates, ImportanceWeighted
from simulacra.core.model import Turn, frozen
from simulacra.core.noise import Noise
from simulacra.models.vae.objective import BoundConfig
from simulacra.probability.distributions import kl_to_standard_normal, log_mean_exp

# Latents decoded at once by `log_weights`: enough to keep the cores busy, few enough for their caches.
DECODED_AT_ONCE = 512


class Draw(NamedTuple):
    """k latents z ~ q(z | x) for each example.

    Attributes:
        z: the latents `(B, k, Z)`.
        mu, sigma: parameters of q for each draw, `(B, k, Z)`; `(B, 1, Z)` where all draws have the same.
        added: what the groups above add to the encoder's output, `(B k, 2 Z)`; 0 without any.
        p: p(x | z), of B k examples.
    """

    z: Tensor
    mu: Tensor
    sigma: Tensor
    added: Tensor
    p: Distribution


class Variational(Generates, ImportanceWeighted):
    """A model with latents z ~ N(0, I) and an encoder q(z | x) = N(mu, diag sigma^2).

    Maximum likelihood for p(x) = E_{z ~ p(z)} p(x | z) is out of reach, its lower bound is not (Kingma and
    Welling 2014, arXiv:1312.6114):

        ln p(x) >= ELBO = E_q(z|x) [ln p(x | z)] - KL(q(z | x) || p(z)),

    with a gap of KL(q(z | x) || p(z | x)). With k samples the bound is the importance-weighted one (Burda et
    al. 2016, arXiv:1509.00519, eq. 8). A model has an attribute `decoder`, and `_encoded` and `decode`.
    """

    config: BoundConfig
    # the encoder's output `(B, 2 Z)` on examples
    _encoded: Callable[[Tensor], Tensor]

    def play(self, batch: Batch) -> Iterator[Turn]:
        x = self.observe(batch.x, batch.noise)
        beta = self.config.beta * self.config.warm(batch.step)
        if self.config.importance_samples > 1 and batch.step >= self.config.importance_from * batch.steps:
            k = self.config.importance_samples
            yield Turn("vae", -self._importance_bound(x, self._encoded(x), batch.noise, k, beta).mean())
            return
        with nullcontext() if self.config.decoder_moves(batch.step, batch.steps) else frozen(*self._decoders):
            _, mu, sigma, _, p = self._draw_one(x, batch.noise, self.config.sampling)
            reconstruction = p.log_prob(x).mean()
        kl = penalised = kl_to_standard_normal(mu, sigma).sum() / len(x)
        if self.config.free_bits:
            # sum_j max(lambda, KL_j), KL_j averaged over the batch (Kingma et al. 2016, eq. 15)
            each = kl_to_standard_normal(mu, sigma).mean(dim=(0, 1))
            if self.latent_groups:
                each = torch.stack([part.sum() for part in each.split(self.latent_groups)])
            penalised = each.clamp(min=self.config.free_bits).sum()
        # max(target, KL), of all latents together (Li et al. 2019, arXiv:1909.00868, eq. 4)
        penalised = penalised.clamp(min=self.config.kl_target)
        loss = beta * penalised - self.config.reconstruction * reconstruction
        yield Turn("vae", loss, {"reconstruction": reconstruction, "kl": kl})

    @property
    def _decoders(self) -> list[nn.Module]:
        """The nets of p(x | z)."""
        (names,) = self.players.values()
        return [getattr(self, name) for name in names if name != "encoder"]

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        elbo = self.elbo(self.observe(batch.x, batch.noise), batch.noise)
        return {"loss": -elbo.value, "reconstruction": elbo.reconstruction, "kl": elbo.kl}

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """The approximate posterior q(z | x) = N(mu, diag sigma^2) (Kingma and Welling 2014, eq. 9).

        Args:
            x: a batch of examples.
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`.
        """
        self.space(space)
        mu, sigma = self._posterior(self._encoded(x))
        return Independent(Normal(mu, sigma, validate_args=False), 1, validate_args=False)

    def elbo(self, x: Tensor, seed: int | Noise = 0) -> Elbo:
        """Both terms with one sample of z for each example."""
        _, mu, sigma, _, p = self._draw_one(x, Noise.of(seed))
        kl = kl_to_standard_normal(mu, sigma).flatten(1)
        return Elbo(p.log_prob(x), kl.sum(dim=1), kl)

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        """The importance-weighted bound with `samples` draws, which tends to ln p(x); `(B,)`."""
        return log_mean_exp(self.log_weights(x, seed, samples))

    def log_weights(self, x: Tensor, seed: int | Noise = 0, samples: int = 100) -> Tensor:
        """ln w = ln p(x, z) - ln q(z | x) for `samples` draws of z ~ q(z | x), `(B, samples)`."""
        noise = Noise.of(seed)
        rows = max(1, DECODED_AT_ONCE // samples)
        draws = [min(DECODED_AT_ONCE, samples - k) for k in range(0, samples, DECODED_AT_ONCE)]
        parts = []
        for x_group, bottom_up in zip(x.split(rows), self._encoded(x).split(rows), strict=True):
            log_w = [self._log_weights(x_group, bottom_up, noise, k, beta=1.0) for k in draws]
            parts.append(torch.cat(log_w, dim=1))
        return torch.cat(parts)

    def posterior_collapse_remedies(self) -> list[str]:
        return ["--free-bits 0.1", "a longer --kl-warmup", "a smaller --beta"]

    def _posterior(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """mu and sigma of q, both `(B, Z)`, from parameters `(B, 2 Z)`."""
        mu, s = parameters.chunk(2, dim=1)
        return mu, F.softplus(s) + 1e-6

    def _draw(self, bottom_up: Tensor, xi: Tensor) -> Draw:
        """k latents for each row of the encoder's output `(B, 2 Z)`, from standard normal xi `(B, k, Z)`."""
        mu, sigma = (part[:, None] for part in self._posterior(bottom_up))
        # z = mu + sigma * eps (Kingma and Welling 2014, eq. 4)
        z = mu + sigma * xi
        return Draw(z, mu, sigma, z.new_zeros(()), self.decode(z.flatten(0, 1)))

    def _draw_one(self, x: Tensor, noise: Noise, sampling: bool = True) -> Draw:
        bottom_up = self._encoded(x)
        xi = noise.normal(len(x), 1, *self.latent.shape).to(bottom_up)
        return self._draw(bottom_up, xi if sampling else torch.zeros_like(xi))

    def _importance_bound(self, x: Tensor, bottom_up: Tensor, noise: Noise, k: int, beta: float) -> Tensor:
        """L_k = log 1/k sum_i w_i (Burda et al. 2016, eq. 8) of each example, `(B,)`.

        With `dreg` the gradient that reaches the encoder is doubly reparametrised (Tucker et al. 2019,
        arXiv:1810.04152, eq. 8), and the one that reaches the decoder stays that of L_k.
        """
        if not self.config.dreg:
            return log_mean_exp(self._log_weights(x, bottom_up, noise, k, beta))
        # a row for each draw, whose gradient is multiplied by its factor on the way to the encoder
        each, x_each = bottom_up.repeat_interleave(k, dim=0), x.repeat_interleave(k, dim=0)
        factor = torch.empty(0)
        weighted = each.view_as(each)
        weighted.register_hook(lambda gradient: factor.view(-1, 1) * gradient)
        xi = noise.normal(len(x), k, *self.latent.shape).to(bottom_up).view(len(each), 1, -1)
        draw = self._draw(weighted, xi)
        log_w = self._weighted(x_each, xi, draw, beta).view(len(x), k)
        # d L_k = sum_i w_i (1 - beta + beta w_i) d log w_i / dz_i dz_i / dphi; squared weights for beta = 1.
        # Without the factor w_i remains, and beta d log q / dphi at a fixed z, which is taken out.
        w = log_w.detach().softmax(dim=1)
        factor = 1 - beta + beta * w
        mu, sigma = self._posterior(each + draw.added.detach())
        log_q = Normal(mu, sigma, validate_args=False).log_prob(draw.z.detach()[:, 0]).sum(dim=1)
        score = (beta * w * factor * log_q.view_as(w)).sum(dim=1)
        return log_mean_exp(log_w) + score - score.detach()

    def _log_weights(self, x: Tensor, bottom_up: Tensor, noise: Noise, k: int, beta: float) -> Tensor:
        """log w = log p(x | z) + beta (log p(z) - log q(z | x)) for k draws of z; `(B, k)`."""
        xi = noise.normal(len(x), k, *self.latent.shape).to(bottom_up)
        return self._weighted(x, xi, self._draw(bottom_up, xi), beta)

    def _weighted(self, x: Tensor, xi: Tensor, draw: Draw, beta: float) -> Tensor:
        """log w of draws that were made from xi `(B, k, Z)`; `(B, k)`."""
        # log p(z) - log q(z | x): the normalising constants cancel but for sigma
        log_ratio = (0.5 * (xi**2 - draw.z**2) + draw.sigma.log()).sum(dim=2)
        # every x k times, without a copy where there is one
        b, k, _ = xi.shape
        repeated = x[:, None].expand(-1, k, *x.shape[1:]).flatten(0, 1)
        log_p_x = draw.p.log_prob(repeated).unflatten(0, (b, k))
        return log_p_x + beta * log_ratio
