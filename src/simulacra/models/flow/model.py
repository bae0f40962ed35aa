"""Normalising flows, of the library zuko."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra.core.batch import Batch
from simulacra.core.capabilities import EstimatesLikelihood, Generates, Reconstructs
from simulacra.core.latents import LatentSpace
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError
from simulacra.models.flow.card import CARD, FlowConfig
from simulacra.probability.distributions import Delta
from simulacra.probability.standardise import Standardise


class Bijection(nn.Module):
    """f with z = f(x) for vectors `(B, D)`, and ln |det df/dx|.

    Args:
        D: numbers of a vector.
        config: which transformations it consists of.

    Raises:
        ConfigError: zuko is not installed.
    """

    def __init__(self, D: int, config: FlowConfig) -> None:
        super().__init__()
        try:
            from zuko.flows import MAF, NSF
        except ImportError as error:
            raise ConfigError(
                f"flow: needs '{error.name}', which is not installed: pip install 'simulacra[flows]'"
            ) from error
        kind = NSF if config.flow == "nsf" else MAF
        # coupling is autoregression in two passes
        given: dict[str, Any] = {"passes": 2} if config.flow == "realnvp" and D > 1 else {}
        given |= {"bins": config.bins} if config.flow == "nsf" else {}
        # a single number depends on no other: there is no net
        given |= {"hidden_features": config.hidden} if D > 1 else {}
        self.transform = kind(D, transforms=config.transforms, **given).transform

    def forward(self, x: Tensor) -> Tensor:
        """z and, in the last column, ln |det df/dx|: `(B, D + 1)`."""
        # bfloat16 has not the precision of a likelihood
        with torch.autocast(x.device.type, enabled=False):
            z, log_det = self.transform().call_and_ladj(x)
        return torch.cat([z, log_det[:, None]], dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        """x with f(x) = z, `(B, D)`."""
        x: Tensor = self.transform().inv(z)
        return x


class Flow(Generates, Reconstructs, EstimatesLikelihood):
    """Normalising flow (Rezende and Mohamed 2015, arXiv:1505.05770): z = f(x) ~ N(0, I), f a bijection.

        ln p(x) = ln N(f(x); 0, I) + ln |det df/dx|

    f is a composition of autoregressive or coupling transformations, whose Jacobians are triangular:
    monotonic rational-quadratic splines (Durkan et al. 2019, arXiv:1906.04032), or affine (Papamakarios et
    al. 2017, arXiv:1705.07057; Dinh et al. 2017, arXiv:1605.08803). Vectors are standardised inside. The
    likelihood is exact. Needs the extra `flows`.

    >>> import pytest
    >>> _ = pytest.importorskip("zuko")
    >>> from simulacra.models.flow.card import FlowConfig
    >>> model = Flow(DataSpec("vector", (2,)), FlowConfig())
    >>> x = model.sample(5, seed=0)
    >>> x.shape, model.encode(x).mean.shape, model.log_likelihood(x).shape
    (torch.Size([5, 2]), torch.Size([5, 2]), torch.Size([5]))
    """

    card = CARD
    players = {"flow": ("flow",)}
    exact = True
    draws = False
    has_likelihood = False
    config: FlowConfig

    def __init__(self, spec: DataSpec, config: FlowConfig) -> None:
        """Raises ConfigError where zuko is not installed."""
        super().__init__(spec, config)
        self.spaces = (LatentSpace.normal(*spec.shape),)
        self.standardise = Standardise(spec)
        self.flow = Bijection(self.latent.size, config)

    def prepare(self, train: Dataset) -> None:
        """Learn what to standardise by."""
        self.standardise.fit(train.x)

    def encode(self, x: Tensor, space: str | None = None) -> Distribution:
        """All mass on z = f(x).

        Args:
            x: vectors `(B, D)`.
            space: only `z`, the default.
        """
        self.space(space)
        return Delta(self.flow(self.standardise(x))[:, :-1])

    def decode(self, z: Tensor, space: str | None = None) -> Distribution:
        """All mass on x with f(x) = z.

        Args:
            z: latents `(B, D)`.
            space: only `z`, the default.
        """
        self.space(space)
        return Delta(self.standardise.inverse(self.flow.inverse(z)))

    def log_likelihood(self, x: Tensor, seed: int | Noise = 0, samples: int = 1) -> Tensor:
        """ln p(x) in nats `(B,)`, exact: seed and samples are not used."""
        out = self.flow(self.standardise(x))
        log_p: Tensor = self.prior.log_prob(out[:, :-1]) + out[:, -1] - self.standardise.std.log().sum()
        return log_p

    def play(self, batch: Batch) -> Iterator[Turn]:
        yield Turn("flow", -self.log_likelihood(batch.x).mean())

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": -self.log_likelihood(batch.x)}
