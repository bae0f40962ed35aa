"""Probabilistic PCA, solved in closed form."""

from __future__ import annotations

from math import log, pi, prod

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from simulacra.core.capabilities import BoundsLikelihood, Elbo, EstimatesLikelihood, Generates, Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError, DataError
from simulacra.models.pca.card import CARD, PCAConfig


class PCA(Generates, Reconstructs, EstimatesLikelihood, BoundsLikelihood):
    """PCA as the linear baseline: probabilistic PCA in closed form (Tipping and Bishop 1999).

        p(z) = N(0, I),   p(x | z) = N(W z + m, sigma^2 I)

    Maximum likelihood has a solution: m is the mean, W = U (L - sigma^2 I)^(1/2) with the leading
    eigenvectors U and eigenvalues L of the covariance, and sigma^2 the mean of the discarded
    eigenvalues (eqs. 7 and 8). Everything a VAE can only bound is exact here.

    >>> import numpy as np
    >>> from simulacra.data.spec import Dataset, DataSpec
    >>> from simulacra.models.pca.card import PCAConfig
    >>> spec = DataSpec("vector", (3,))
    >>> model = PCA(spec, PCAConfig(latent_dim=1))
    >>> model.prepare(Dataset(spec, np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)))
    >>> model.W.shape
    torch.Size([3, 1])
    """

    card = CARD
    exact = True
    config: PCAConfig
    W: Tensor  # (D, Z)
    m: Tensor  # (D,)
    sigma: Tensor  # ()

    def __init__(self, spec: DataSpec, config: PCAConfig) -> None:
        """Raises ConfigError when `latent_dim` is not below the number of numbers in an example."""
        super().__init__(spec, config)
        dim = prod(spec.shape)
        if not 1 <= config.latent_dim < dim:
            raise ConfigError(
                f"latent_dim: must be from 1 to {dim - 1} for this data, not {config.latent_dim}"
            )
        self.spaces = (LatentSpace.normal(config.latent_dim),)
        self.register_buffer("W", torch.zeros(dim, config.latent_dim))
        self.register_buffer("m", torch.zeros(dim))
        self.register_buffer("sigma", torch.ones(()))

    def prepare(self, train: Dataset) -> None:
        """Solve it: the leading eigenvectors of the covariance of the training data.

        Raises:
            DataError: there are no more examples than latent dimensions.
        """
        from sklearn.decomposition import PCA as Eigenvectors

        k = self.config.latent_dim
        if len(train) <= k:
            raise DataError(f"pca with latent_dim {k} needs more than {k} examples, there are {len(train)}")
        x = train.x.reshape(len(train), -1)
        n, dim = x.shape
        # exact where that takes seconds, else by randomised projections (Halko et al. 2011)
        solver = "covariance_eigh" if dim <= 1000 else "full" if n <= 1000 else "randomized"
        x = x.astype(np.float32 if solver == "randomized" else np.float64)
        if train.x.dtype == np.uint8:
            x /= 255
        solution = Eigenvectors(k, svd_solver=solver, random_state=0).fit(x)
        # eq. 8; floored where the data lie in a subspace
        sigma2 = max(float(solution.noise_variance_), 1e-8)
        # eq. 7
        W = solution.components_.T * np.sqrt(np.clip(solution.explained_variance_ - sigma2, 0, None))
        self.W.copy_(torch.from_numpy(W))
        self.m.copy_(torch.from_numpy(solution.mean_))
        self.sigma.copy_(torch.tensor(sigma2).sqrt())

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """The exact posterior N(M^-1 W^T (x - m), sigma^2 M^-1), M = W^T W + sigma^2 I (eq. 6).

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`.
        """
        self.space(space)
        M = self.W.T @ self.W + self.sigma**2 * torch.eye(self.config.latent_dim, device=x.device)
        mean = torch.linalg.solve(M, self.W.T @ (x.flatten(1) - self.m).T).T
        L = torch.linalg.cholesky(self.sigma**2 * torch.linalg.inv(M))
        return MultivariateNormal(mean, scale_tril=L, validate_args=False)

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """p(x | z) = N(W z + m, sigma^2 I) (eq. 2).

        Args:
            z: latents `(B, Z)`.
            space: only `z`, the default.

        Returns:
            A distribution over examples with a `mean` `(B, C, H, W)` in [0, 1], or `(B, D)`.
        """
        self.space(space)
        mean = (z @ self.W.T + self.m).unflatten(1, self.spec.shape)
        return Independent(Normal(mean, self.sigma, validate_args=False), mean.ndim - 1, validate_args=False)

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 1) -> Tensor:
        """ln N(x; m, C), C = W W^T + sigma^2 I (eq. 4), exact: seed and samples are not used."""
        centred = (x.flatten(1) - self.m).double()
        W, sigma2 = self.W.double(), self.sigma.double() ** 2
        dim, k = W.shape
        M = W.T @ W + sigma2 * torch.eye(k, device=x.device)
        # Woodbury: (x-m)^T C^-1 (x-m) = (|x-m|^2 - |L^-1 W^T (x-m)|^2) / sigma^2, M = L L^T
        L = torch.linalg.cholesky(M)
        projected = torch.linalg.solve_triangular(L, W.T @ centred.T, upper=False)
        distance = (centred.square().sum(dim=1) - projected.square().sum(dim=0)) / sigma2
        # |C| = sigma^(2 (D - k)) |M|
        log_det = (dim - k) * sigma2.log() + 2 * L.diagonal().log().sum()
        return (-0.5 * (dim * log(2 * pi) + log_det + distance)).to(x.dtype)

    def elbo(self, x: Tensor, seed: int | Noise = 0) -> Elbo:
        """Both terms under the exact posterior, where the bound is tight on average over z."""
        q = self.encode(x)
        assert isinstance(q, MultivariateNormal)
        z = q.mean + Noise.of(seed).normal(*q.mean.shape).to(q.mean) @ q.scale_tril[0].T
        prior = MultivariateNormal(torch.zeros_like(q.mean), torch.eye(z.shape[1], device=x.device))
        return Elbo(self.decode(z).log_prob(x), torch.distributions.kl_divergence(q, prior))
