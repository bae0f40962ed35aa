"""The Gaussian mixture model."""

from __future__ import annotations

from math import inf, prod

import torch
from torch import Tensor
from torch.distributions import MixtureSameFamily

from simulacra.core.capabilities import BLOCK, EstimatesLikelihood, Samples
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import DataError
from simulacra.limits import check_memory
from simulacra.models.gmm.card import CARD, GMMConfig
from simulacra.probability import em
from simulacra.probability.em import NormalMixture
from simulacra.probability.standardise import Standardise

# components that BIC chooses among, at most, and numbers in all their covariances
MOST, NUMBERS = 64, 2**24


class GMM(Samples, EstimatesLikelihood):
    """Gaussian mixture model: p(x) = sum_k pi_k N(x; mu_k, C_k), fitted by expectation maximisation.

    EM (Dempster et al. 1977) from the best of several k-means++ starts. Without a given number of components
    it is the one with the lowest Bayesian information criterion, -2 ln L + P ln N with P free parameters
    (Schwarz 1978). Vectors are standardised inside. The likelihood is exact.

    >>> import numpy as np
    >>> from simulacra.data.spec import Dataset, DataSpec
    >>> from simulacra.models.gmm.card import GMMConfig
    >>> spec, rng = DataSpec("vector", (2,)), np.random.default_rng(0)
    >>> x = rng.normal(size=(600, 2)) + np.repeat([[-4], [0], [4]], 200, axis=0)
    >>> model = GMM(spec, GMMConfig())
    >>> model.prepare(Dataset(spec, x.astype(np.float32)))
    >>> model.components, model.sample(5, seed=0).shape
    (3, torch.Size([5, 2]))
    """

    card = CARD
    exact = True
    draws = False
    spaces = ()
    config: GMMConfig
    log_pi: Tensor  # (K,), -inf behind the last component
    mu: Tensor  # (K, D)
    L: Tensor  # (K, D, D) or (K, D)

    def __init__(self, spec: DataSpec, config: GMMConfig) -> None:
        """Raises LimitError for covariances that do not fit in memory."""
        super().__init__(spec, config)
        (D,) = spec.shape
        factor = (D, D) if config.covariance == "full" else (D,)
        K = config.components or max(1, min(MOST, NUMBERS // prod(factor)))
        # in float64 while it is fitted
        check_memory(
            8 * K * prod(factor), f"{K} covariances of {D:,} numbers", "choose --covariance diagonal"
        )
        self.standardise = Standardise(spec)
        self.register_buffer("log_pi", torch.full((K,), -inf))
        self.register_buffer("mu", torch.zeros(K, D))
        self.register_buffer("L", torch.zeros(K, *factor))

    @property
    def components(self) -> int:
        """How many components it has."""
        return int((self.log_pi > -inf).sum())

    def prepare(self, train: Dataset) -> None:
        """Fit it.

        Raises:
            DataError: there are fewer examples than components.
        """
        K, diagonal = self.config.components, self.config.covariance == "diagonal"
        if len(train) < (K or 1):
            raise DataError(f"gmm with {K} components needs at least {K} examples, there are {len(train)}")
        self.standardise.fit(train.x)
        x = self.standardise(torch.from_numpy(train.x).to(self.mu)).double()
        # the generator is seeded with the seed of the training
        seed, restarts = int(torch.randint(2**31, ())), self.config.restarts
        if K is None:
            p = em.fit_by_bic(x, min(len(self.mu), len(x)), diagonal, restarts, seed)
        else:
            p = em.fit(x, K, diagonal, restarts, seed)
        self.log_pi.fill_(-inf)
        for buffer, fitted in ((self.log_pi, p.log_pi), (self.mu, p.mu), (self.L, p.L)):
            buffer[: len(fitted)] = fitted

    def distribution(self) -> MixtureSameFamily:
        """The mixture as a torch distribution over `(D,)`, in the units of the data."""
        return self.standardise.in_units(self._mixture().distribution())  # type: ignore[return-value]

    def sample(
        self, n: int, seed: int | Noise = 0, *, truncation: float = 1.0, draw: bool | None = None
    ) -> Tensor:
        """As `Samples.sample`, with the component as the latent: x ~ N(mu_k, C_k), or its mean, for k ~ pi.

        Truncation moves x towards the mean of the mixture.
        """
        noise, parts, p = Noise.of(seed), [], self._mixture()
        centre = p.log_pi.exp() @ p.mu
        for _ in range(0, n, BLOCK["vector"]):
            u = noise.uniform(BLOCK["vector"]).to(p.mu)
            eps = noise.normal(BLOCK["vector"], *self.spec.shape).to(p.mu)
            k = torch.searchsorted(p.log_pi.exp().cumsum(0), u).clamp(max=len(p.mu) - 1)
            x = p.mu[k]
            if draw or draw is None:
                # a component at a time: the factors of all examples would be large
                for i in k.unique():
                    L = p.L[i] if p.L.ndim == 3 else p.L[i].diag()
                    x[k == i] += eps[k == i] @ L.T
            parts.append(self.standardise.inverse(centre + truncation * (x - centre)))
        return torch.cat(parts)[:n]

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 1) -> Tensor:
        """ln p(x) in nats `(B,)`, exact: seed and samples are not used."""
        p = NormalMixture(*(part.double() for part in self._mixture()))
        log_p = p.log_prob(self.standardise(x).double()) - self.standardise.std.double().log().sum()
        return log_p.to(x.dtype)

    def usage(self) -> list[str]:
        return [*super().usage(), "p = model.distribution()  # a torch distribution"]

    def _mixture(self) -> NormalMixture:
        K = self.components
        return NormalMixture(self.log_pi[:K], self.mu[:K], self.L[:K])
