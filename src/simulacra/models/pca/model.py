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
from simulacra.probability.dequantised import VARIANCE, DequantisedNormal
from simulacra.probability.layout import Layout
from simulacra.probability.standardise import Standardise

# principal components, when not given
COMPONENTS = 16


class PCA(Generates, Reconstructs, EstimatesLikelihood, BoundsLikelihood):
    """PCA as the linear baseline: probabilistic PCA in closed form (Tipping and Bishop 1999).

        p(z) = N(0, I),   p(x | z) = N(W z + m, sigma^2 I)

    Maximum likelihood has a solution: m is the mean, W = U (L - sigma^2 I)^(1/2) with the leading
    eigenvectors U and eigenvalues L of the covariance, and sigma^2 the mean of the discarded
    eigenvalues (eqs. 7 and 8). Vectors are standardised inside. Everything a VAE can only bound is exact
    here.

    The categories of a table have no density: their one-hot codes e are dequantised, e + u with u uniform on
    [-1/2, 1/2]^K, and ln P(e) >= E_u ln p(e + u) (Theis et al. 2016, arXiv:1511.01844, eq. 12). For a normal
    that is ln N(e; m, C) - tr(C^-1) / 24, the trace over the codes. A number in a special state is not
    observed, and neither is a code of zeros: the density is that of the rest.

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
    draws = False
    takes_categories = True
    config: PCAConfig
    W: Tensor  # (D, Z)
    m: Tensor  # (D,)
    sigma: Tensor  # ()

    def __init__(self, spec: DataSpec, config: PCAConfig) -> None:
        """Raises ConfigError when `latent_dim` is not below the number of numbers in an example."""
        super().__init__(spec, config)
        dim = prod(spec.shape)
        if dim == 1:
            raise ConfigError("pca needs at least 2 columns, the data have 1")
        k = min(COMPONENTS, dim - 1) if config.latent_dim is None else config.latent_dim
        if not 1 <= k < dim:
            raise ConfigError(f"latent_dim: must be from 1 to {dim - 1} for this data, not {k}")
        self.spaces = (LatentSpace.normal(k),)
        # images are left as they are
        self.standardise = Standardise(spec) if spec.kind == "vector" else None
        # of a table with categories or special values
        coded = spec.schema is not None and not spec.schema.continuous
        self.layout = Layout(spec.schema) if spec.schema is not None and coded else None
        self.exact = not coded
        self.register_buffer("W", torch.zeros(dim, k))
        self.register_buffer("m", torch.zeros(dim))
        self.register_buffer("sigma", torch.ones(()))

    def prepare(self, train: Dataset) -> None:
        """Solve it: the leading eigenvectors of the covariance of the training data.

        Raises:
            DataError: there are no more examples than latent dimensions.
        """
        k = self.latent.size
        if len(train) <= k:
            raise DataError(f"pca with latent_dim {k} needs more than {k} examples, there are {len(train)}")
        if self.standardise is not None:
            self.standardise.fit(train.x)
        if self.layout is not None:
            self.layout.fit(train.x)
        mean, values, vectors, sigma2 = self._components(train.x)
        # eq. 8; floored where the data lie in a subspace
        sigma2 = max(sigma2, 1e-8)
        # eq. 7
        W = vectors * np.sqrt(np.clip(values - sigma2, 0, None))
        self.W.copy_(torch.from_numpy(W))
        self.m.copy_(torch.from_numpy(mean))
        self.sigma.copy_(torch.tensor(sigma2).sqrt())

    def _components(self, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Mean `(D,)`, leading eigenvalues `(Z,)`, eigenvectors `(D, Z)`, mean of the other eigenvalues."""
        from sklearn.decomposition import PCA as Eigenvectors

        k, n = self.latent.size, len(examples)
        x = examples.reshape(n, -1)
        dim = x.shape[1]
        if self.layout is not None:
            scaled, observed = self._scaled(torch.from_numpy(x).to(self.m))
            # the variance that dequantisation adds, and that of numbers which are not observed: 1
            added = (1 - observed).mean(dim=0)
            added[self.layout.codes] = VARIANCE
            covariance = torch.cov(scaled.double().T) + added.double().diag()
            values, vectors = torch.linalg.eigh(covariance)
            mean, values, vectors = (t.numpy(force=True) for t in (scaled.mean(dim=0), values, vectors))
            return mean, values[-k:], vectors[:, -k:], float(values[:-k].mean())
        # exact where that takes seconds, else by randomised projections (Halko et al. 2011)
        solver = "covariance_eigh" if dim <= 1000 else "full" if n <= 1000 else "randomized"
        x = x.astype(np.float32 if solver == "randomized" else np.float64)
        if examples.dtype == np.uint8:
            x /= 255
        if self.standardise is not None:
            x = (x - self.standardise.mean.numpy(force=True)) / self.standardise.std.numpy(force=True)
        found = Eigenvectors(k, svd_solver=solver, random_state=0).fit(x)
        return found.mean_, found.explained_variance_, found.components_.T, float(found.noise_variance_)

    def _scaled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Examples as `(B, D)`, vectors standardised, and 1 where their numbers are observed; 0 elsewhere."""
        x = (x if self.standardise is None else self.standardise(x)).flatten(1)
        if self.layout is None:
            return x, torch.ones_like(x)
        observed = self.layout.observed(x)
        return x * observed, observed

    def _posterior(self, centred: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """W^T (x - m) `(B, Z)` and M = W^T W + sigma^2 I, of what is observed; `(1, Z, Z)` where all is."""
        W, sigma2 = self.W.to(centred), self.sigma.to(centred) ** 2
        # the same for all examples where all numbers are observed
        W_o = W[None] if self.layout is None else W * observed[..., None]
        M = W_o.transpose(1, 2) @ W + sigma2 * torch.eye(W.shape[1]).to(W)
        return centred @ W, M

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """The exact posterior N(M^-1 W^T (x - m), sigma^2 M^-1), M = W^T W + sigma^2 I (eq. 6).

        Args:
            x: images `(B, C, H, W)` in [0, 1], or vectors `(B, D)`.
            space: only `z`, the default.

        Returns:
            A distribution over latents with a `mean` `(B, Z)`.
        """
        self.space(space)
        scaled, observed = self._scaled(x)
        projected, M = self._posterior((scaled - self.m) * observed, observed)
        mean = torch.linalg.solve(M, projected[..., None]).squeeze(-1)
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
        p: Distribution = Normal(mean, self.sigma, validate_args=False)
        p = Independent(p, mean.ndim - 1, validate_args=False)
        if self.standardise is not None:
            p = self.standardise.in_units(p)
        return p if self.layout is None else DequantisedNormal(self.layout, p.mean, p.stddev)

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 1) -> Tensor:
        """ln N(x; m, C), C = W W^T + sigma^2 I (eq. 4), exact: seed and samples are not used.

        Of a table with categories or special values the lower bound by dequantisation.
        """
        scaled, observed = self._scaled(x.double())
        centred, sigma2 = (scaled - self.m.double()) * observed, self.sigma.double() ** 2
        projected, M = self._posterior(centred, observed)
        # Woodbury: (x-m)^T C^-1 (x-m) = (|x-m|^2 - |L^-1 W^T (x-m)|^2) / sigma^2, M = L L^T
        L = torch.linalg.cholesky(M)
        inside = torch.linalg.solve_triangular(L, projected[..., None], upper=False).squeeze(-1)
        distance = (centred.square().sum(dim=1) - inside.square().sum(dim=1)) / sigma2
        # |C| = sigma^(2 (D - k)) |M|
        dim, k = observed.sum(dim=1), M.shape[-1]
        log_det = (dim - k) * sigma2.log() + 2 * L.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        log_p = -0.5 * (dim * log(2 * pi) + log_det + distance)
        if self.standardise is not None:
            log_p = log_p - (observed * self.standardise.std.double().log()).sum(dim=1)
        if self.layout is not None:
            # tr(C^-1) over the codes, C^-1 = (I - W M^-1 W^T) / sigma^2
            of_codes = observed[:, self.layout.codes]
            W = self.W.double()[self.layout.codes] * of_codes[..., None]
            trace = of_codes.sum(dim=1) - (W.transpose(1, 2) @ W @ torch.linalg.inv(M)).diagonal(
                dim1=1, dim2=2
            ).sum(dim=1)
            log_p = log_p - VARIANCE / 2 * trace / sigma2
        return log_p.to(x.dtype)

    def elbo(self, x: Tensor, seed: int | Noise = 0) -> Elbo:
        """Both terms under the exact posterior, in closed form: the bound is tight, and seed is not used.

        Of a table with categories the posterior is that of the codes without noise, and the bound is lower.
        """
        q = self.encode(x)
        assert isinstance(q, MultivariateNormal)
        prior = MultivariateNormal(torch.zeros_like(q.mean), torch.eye(q.mean.shape[1]).to(q.mean))
        # E_q ln N(x; W z + m, sigma^2 I) = ln N(x; W E[z] + m, sigma^2 I) - tr(W Cov[z] W^T) / (2 sigma^2)
        observed = self._scaled(x)[1]
        spread = (self.W @ q.scale_tril).square().sum(dim=-1) * observed
        reconstruction = self.decode(q.mean).log_prob(x) - spread.sum(dim=1) / (2 * self.sigma**2)
        return Elbo(reconstruction, torch.distributions.kl_divergence(q, prior))
