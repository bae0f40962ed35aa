"""The mixture density network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, MixtureSameFamily

from simulacra.data.spec import Dataset
from simulacra.errors import ConfigError
from simulacra.models.mdn.card import CARD, MDNConfig
from simulacra.models.regressor.model import Regressor
from simulacra.probability import distributions
from simulacra.probability.distributions import Modes
from simulacra.probability.likelihoods import Likelihood, Mixture, make

COMPONENTS = {"diagonal": "normal-learned", "full": "multivariate-normal"}
# targets that the centres are picked from
LOOKED_AT = 10_000


class MDN(Regressor):
    """Mixture density network (Bishop 1994): p(y | x) = sum_k pi_k(x) N(y; mu_k(x), cov_k(x)).

    A net gives the weights pi (softmax), the centres mu and the scales or Cholesky factors of K normals, so
    that it represents several answers to one input where a least-squares net gives their mean. Loss:
    -log p(y | x) by log-sum-exp, finite far out in the tails (eq. 29).

    >>> import torch
    >>> from simulacra.data.spec import DataSpec
    >>> from simulacra.models.mdn.card import MDNConfig
    >>> model = MDN(DataSpec("vector", (2,), target=DataSpec("vector", (3,))), MDNConfig(components=4))
    >>> p = model.predict(torch.zeros(5, 2))
    >>> p.mean.shape, p.log_prob(torch.full((5, 3), 1e4)).isfinite().all().item()
    (torch.Size([5, 3]), True)
    >>> model.modes(torch.zeros(5, 2)).values.shape, model.most_probable(torch.zeros(5, 2)).mean.shape
    (torch.Size([5, 4, 3]), torch.Size([5, 3]))
    """

    card = CARD
    config: MDNConfig

    def head(self) -> Likelihood:
        """A mixture of K normals."""
        if self.config.covariance not in COMPONENTS:
            raise ConfigError(f"covariance: diagonal or full, not {self.config.covariance}")
        return Mixture(self.config.components, make(COMPONENTS[self.config.covariance], self.config.scale))

    def prepare(self, train: Dataset) -> None:
        """Standardise, and initialise the centres at targets selected by k-means++."""
        from sklearn.cluster import kmeans_plusplus

        super().prepare(train)
        assert train.target is not None
        assert self.standardise_y is not None
        y = self.standardise_y(torch.from_numpy(train.target[:LOOKED_AT].copy()).to(self.device)).cpu()
        K = self.config.components
        centres, _ = kmeans_plusplus(y.repeat(-(-K // len(y)), 1).double().numpy(), K, random_state=0)
        last = [layer for layer in self.net.modules() if isinstance(layer, nn.Linear)][-1]
        with torch.no_grad():
            last.bias.zero_()
            # each component's outputs begin with its mean
            each = last.bias[K:].unflatten(0, (K, -1))
            each[:, : y.shape[1]] = torch.from_numpy(centres).to(each)

    def predict(self, x: Tensor) -> MixtureSameFamily:
        """p(y | x), a mixture in the units of the data."""
        p = super().predict(x)
        assert isinstance(p, MixtureSameFamily)
        return p

    def modes(self, x: Tensor) -> Modes:
        """The local maxima of p(y | x), the most probable first."""
        return distributions.modes(self.predict(x))

    def most_probable(self, x: Tensor) -> Distribution:
        """The component with the largest weight, a normal over `(B, T)`."""
        p = self.predict(x)
        k = p.mixture_distribution.logits.argmax(dim=1)
        return distributions.component(p, k)
