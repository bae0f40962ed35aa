"""Flow matching."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from simulacra.core.batch import Batch
from simulacra.core.model import Turn
from simulacra.core.noise import Noise
from simulacra.data.spec import Dataset, DataSpec
from simulacra.models.flow_matching.card import CARD, FlowMatchingConfig
from simulacra.models.flow_matching.continuous_flow import (
    ContinuousFlow,
    Scaling,
    maps,
    matching_losses,
    velocity_net,
)


class FlowMatching(ContinuousFlow):
    """Flow matching (Lipman et al. 2023, arXiv:2210.02747): a net learns the velocity from noise to data.

    Examples x_1 and noise x_0 ~ N(0, I) are joined by straight lines, x_t = (1 - t) x_0 + t x_1, and the net
    learns to predict x_1 - x_0 from x_t and t:

        min over v of E |v(x_t, t) - (x_1 - x_0)|^2.

    The optimum is v(x, t) = E[x_1 - x_0 | x_t = x]. Solutions of dx/dt = v(x, t) that begin at N(0, I) have
    the distribution of x_t at every t, and so at t = 1 that of the data. The map is a bijection, with an
    encoder and a likelihood.

    >>> from simulacra.models.flow_matching.card import FlowMatchingConfig
    >>> model = FlowMatching(DataSpec("vector", (2,)), FlowMatchingConfig())
    >>> x = model.sample(5, seed=0)
    >>> x.shape, model.encode(x).mean.shape, model.log_likelihood(x).shape
    (torch.Size([5, 2]), torch.Size([5, 2]), torch.Size([5]))
    """

    card = CARD
    players = {"velocity": ("velocity",)}
    config: FlowMatchingConfig

    def __init__(self, spec: DataSpec, config: FlowMatchingConfig) -> None:
        """Raises ConfigError for a net or a grid that does not fit the data."""
        super().__init__(spec, config)
        self.scaling = Scaling(spec)
        self.maps = maps(spec, config)
        self.velocity = velocity_net(spec, config)

    def prepare(self, train: Dataset) -> None:
        """Learn what to standardise by."""
        self.scaling.fit(train.x)

    def field(self, x: Tensor, t: Tensor) -> Tensor:
        v: Tensor = self.velocity(x.reshape(len(x), *self.maps), t)
        return v.reshape(x.shape)

    def play(self, batch: Batch) -> Iterator[Turn]:
        yield Turn("velocity", self._losses(batch).mean())

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self._losses(batch)}

    def collapse_remedies(self) -> list[str]:
        return ["more --steps", "a smaller --lr"]

    def _losses(self, batch: Batch) -> Tensor:
        noise: Noise = batch.noise
        return matching_losses(self.field, self.scaling(batch.x, noise), noise, self.config.time)
