"""A net whose output is a distribution, trained by maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import exp, log, sqrt
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from simulacra import nets
from simulacra.core.batch import Batch
from simulacra.core.capabilities import Predicts
from simulacra.core.model import Turn
from simulacra.data.spec import Dataset, DataSpec
from simulacra.errors import ConfigError, DataError
from simulacra.models.regressor.card import CARD, RegressorConfig
from simulacra.probability import likelihoods
from simulacra.probability.distributions import tempered
from simulacra.probability.likelihoods import Classes, Likelihood
from simulacra.probability.standardise import Standardise

# likelihoods of classes, besides that of numbers
OF_CLASSES = ("bernoulli", "categorical")
# fewest held-out examples to fit a temperature to: its standard error is about 1 / sqrt(2 N)
ENOUGH = 30


class Regressor(Predicts):
    """Regressor: a net whose output is the distribution p(y | x) of the target of an input x.

    Trained by maximum likelihood, L = -log p(y | x), averaged over the examples. With each head this is a
    classical loss: the squared error (normal), the absolute error (laplace), the binary cross-entropy
    (bernoulli), the cross-entropy (categorical) (Bishop 2006, sections 1.2.5 and 4.3; Nix and Weigend 1994
    for a predicted variance). Inputs and, where the likelihood has a location and a scale, targets are
    standardised inside; everything that comes out is in the units of the data. After the last step the
    distribution is calibrated on held-out examples by one number, a temperature.

    >>> import numpy as np
    >>> import torch
    >>> from simulacra.data.spec import Dataset, DataSpec
    >>> from simulacra.models.regressor.card import RegressorConfig
    >>> spec = DataSpec("vector", (3,), target=DataSpec("vector", (1,)))
    >>> model = Regressor(spec, RegressorConfig(likelihood="normal-learned"))
    >>> x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    >>> model.prepare(Dataset(spec, x, target=x[:, :1] * 100 + 1000))
    >>> p = model.predict(torch.from_numpy(x))
    >>> p.mean.shape, bool(p.mean.mean() > 900)
    (torch.Size([50, 1]), True)
    """

    players = {"regressor": ("net", "likelihood")}
    card: ClassVar = CARD
    config: Any
    temperature: Tensor

    def __init__(self, spec: DataSpec, config: Any) -> None:
        """Raises ConfigError for settings that cannot be, or data with nothing to predict."""
        super().__init__(spec, config)
        self.likelihood = self.head()
        self.net = self.build_net(self.likelihood.outputs(self.shape))
        self.standardise_x = Standardise(spec)
        target = spec.target if self.likelihood.location_scale else None
        self.standardise_y = None if target is None else Standardise(target)
        self.register_buffer("temperature", torch.ones(()))

    def head(self) -> Likelihood:
        """The likelihood that the settings and the data ask for.

        Raises:
            ConfigError: it does not fit what is to be predicted.
        """
        config: RegressorConfig = self.config
        name = config.likelihood
        if name == "auto":
            name = "categorical" if self.spec.target is None else "normal-learned"
        if self._of_classes(name):
            K = len(self.spec.classes)
            if name == "bernoulli" and K != 2:
                raise ConfigError(f"likelihood: bernoulli needs 2 classes, there are {K}; use categorical")
            return Classes() if name == "categorical" else likelihoods.make(name)
        target = self.spec.target
        if target is None:
            raise ConfigError(
                f"likelihood: {name} predicts numbers, and the targets are classes; use categorical"
            )
        if name in ("categorical", "discretised-logistic", "logistic-mixture") and target.kind != "image":
            raise ConfigError(f"likelihood: {name} needs classes or images to predict, not numbers")
        return likelihoods.make(name, config.scale, config.sigma)

    def build_net(self, outputs: tuple[int, ...]) -> nn.Module:
        """A net from examples `(B, *spec.shape)` to `(B, *outputs)`."""
        return nets.mapping(self.spec.shape, outputs, self.config)

    def _of_classes(self, name: str) -> bool:
        """Whether classes are predicted: a table's column of few whole numbers may be either."""
        target = self.spec.target
        numbers = target is not None and (target.kind == "image" or name != "categorical")
        return name in OF_CLASSES and bool(self.spec.classes) and not numbers

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one target: that of the data, or `(K,)` for K classes, `(1,)` for one of two."""
        if isinstance(self.likelihood, Classes):
            return (len(self.spec.classes),)
        return (1,) if self.spec.target is None else self.spec.target.shape

    def prepare(self, train: Dataset) -> None:
        """Learn what to standardise by.

        Raises:
            DataError: targets lie outside what the likelihood can give.
        """
        self.standardise_x.fit(train.x)
        y = train.target
        if y is None or isinstance(self.likelihood, Classes):
            return
        if self.standardise_y is not None:
            self.standardise_y.fit(y)
            return
        low, high = (y.min(), y.max()) if y.dtype != np.uint8 else (0, 1)
        if low < 0 or high > 1:
            raise DataError(
                f"targets range from {low:g} to {high:g}, but this likelihood needs [0, 1]; use a normal"
            )

    def play(self, batch: Batch) -> Iterator[Turn]:
        # L = -log p(y | x)
        yield Turn("regressor", -self.predict(batch.x).log_prob(self.targets(batch)).mean())

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": -self.predict(batch.x).log_prob(self.targets(batch))}

    @torch.no_grad()
    def finish(self, held_out: Iterable[Batch]) -> None:
        """Fit the temperature to held-out examples by maximum likelihood, given at least 30 examples."""
        self.temperature.fill_(1)
        pairs = [(self.predict(batch.x), self.targets(batch)) for batch in held_out]
        if not self.likelihood.calibrated or sum(len(y) for _, y in pairs) < ENOUGH:
            return

        def loss(log_temperature: float) -> float:
            temperature = torch.tensor(log_temperature).exp().to(self.temperature)
            return -sum(float(tempered(p, temperature).log_prob(y).double().sum()) for p, y in pairs)

        self.temperature.fill_(exp(_minimum(loss, log(0.1), log(10))))

    def predict(self, x: Tensor) -> Distribution:
        """p(y | x) in the units of the data; in evaluation mode calibrated."""
        p: Distribution = self.likelihood(self.net(self.standardise_x(x)))
        if self.standardise_y is not None:
            p = self.standardise_y.in_units(p)
        return p if self.training else tempered(p, self.temperature)

    def targets(self, batch: Batch) -> Tensor:
        """Targets `(B, *shape)`, labels `(B,)` of a categorical, 0 or 1 `(B, 1)` of a bernoulli.

        Raises:
            DataError: the batch has none.
        """
        if isinstance(self.likelihood, Classes) or self.spec.target is None:
            if batch.y is None:
                raise DataError("the data have no labels; pass (X, y), or a source with labels")
            return batch.y if isinstance(self.likelihood, Classes) else batch.y[:, None].float()
        if batch.target is None:
            raise DataError("the data have no targets")
        return batch.target


def _minimum(f: Callable[[float], float], low: float, high: float) -> float:
    """Golden-section search of a function with one minimum, to 1e-3 (Kiefer 1953).

    >>> round(_minimum(lambda x: (x - 0.3) ** 2, -2, 2), 3)
    0.3
    """
    g = (sqrt(5) - 1) / 2
    a, b = high - g * (high - low), low + g * (high - low)
    fa, fb = f(a), f(b)
    while high - low > 1e-3:
        if fa < fb:
            high, b, fb = b, a, fa
            a = high - g * (high - low)
            fa = f(a)
        else:
            low, a, fa = a, b, fb
            b = low + g * (high - low)
            fb = f(b)
    return (low + high) / 2
