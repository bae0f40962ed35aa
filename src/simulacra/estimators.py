"""Regressors for scikit-learn that predict distributions: for pipelines, cross-validation and grid search.

>>> import numpy as np
>>> rng = np.random.default_rng(0)
>>> X = rng.uniform(-1, 1, (300, 1))
>>> y = rng.choice([-1, 1], 300) * X[:, 0] + 0.05 * rng.normal(size=300)
>>> mdn = MDNRegressor(components=2, steps=300, random_state=0).fit(X, y)
>>> mdn.predict(X[:3]).shape, mdn.sample(X[:3], n_samples=5).shape, mdn.log_prob(X, y).shape
((3,), (3, 5), (300,))
"""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any, Literal, Self, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.distributions import Distribution

from simulacra.config import Training, configure
from simulacra.core.capabilities import Predicts
from simulacra.core.noise import Noise
from simulacra.data import Data, Dataset, DataSpec, Options
from simulacra.engine.loop import train
from simulacra.errors import DataError
from simulacra.models.mdn.card import MDNConfig
from simulacra.models.regressor.card import RegressorConfig
from simulacra.models.settings import LikelihoodName
from simulacra.probability.distributions import modes
from simulacra.run import Run, RunConfig

# With fewer rows than this a tenth of them is too little to choose weights by, and the last are kept.
ENOUGH = 50
HELD_OUT = 0.1


class _Estimator(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both have in common: the training, and the questions to p(y | x).

    A tenth of the rows is held out: the weights with the lowest -log p(y | x) on it are kept, and the
    spread is calibrated on it.
    """

    name: str
    hidden: tuple[int, ...]
    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    random_state: int | np.random.RandomState | None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _config(self) -> Any:
        raise NotImplementedError

    def fit(self, X: Any, y: Any) -> Self:
        """Train from the start.

        Args:
            X: inputs `(N, D)`.
            y: targets `(N,)` or `(N, T)`.

        Raises:
            ValueError: the table is empty, not finite, or outside what the likelihood can give.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31))
        self.flat_ = y.ndim == 1
        x32, y32 = X.astype(np.float32), y.reshape(len(y), -1).astype(np.float32)
        spec = DataSpec("vector", x32.shape[1:], target=DataSpec("vector", y32.shape[1:]))
        rows = random.permutation(len(x32))
        held = int(HELD_OUT * len(rows)) if len(rows) >= ENOUGH else 0
        table = Dataset(spec, x32, target=y32)
        data = Data("table", table.take(rows[held:]), table.take(rows[:held]), table.take(rows[:0]))
        training = Training(optimizer="adamw", schedule="cosine", keep="best", device="cpu", seed=seed)
        settings = {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "lr": self.learning_rate,
            "weight_decay": self.weight_decay,
        }
        (training,) = configure((training,), settings)
        config = RunConfig(self.name, self._config(), "table", Options(), spec, training)
        try:
            with TemporaryDirectory() as folder, torch.random.fork_rng([]):
                model = train(Run(folder), config, data, quiet=True)
        except DataError as error:
            raise ValueError(str(error)) from error
        # answers to one row and to many agree to the last digits in double precision only
        self.model_ = cast(Predicts, model.double())
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The mean E[y | x], `(N,)` or `(N, T)`; with `return_std` its pair with the standard deviation."""
        p = self.distribution(X)
        mean = self._shaped(p.mean)
        return (mean, self._shaped(p.stddev)) if return_std else mean

    def distribution(self, X: Any) -> Distribution:
        """p(y | x) over `(N, T)`, a torch distribution in double precision."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.no_grad():
            return self.model_.predict(torch.tensor(X))

    def sample(self, X: Any, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw from p(y | x): `(N, n_samples)` or `(N, n_samples, T)`."""
        seed = int(check_random_state(random_state).randint(2**31))
        y = Noise(seed).draw(self.distribution(X), n_samples).transpose(0, 1)
        return np.asarray(y[..., 0] if self.flat_ else y)

    def log_prob(self, X: Any, y: Any) -> np.ndarray:
        """log p(y | x) of every row in nats, `(N,)`; its mean is the score of scoring rules for densities.

        Raises:
            DataError: y does not belong to X.
        """
        p = self.distribution(X)
        y = np.array(y, dtype=np.float64)
        if y.size != p.mean.numel():
            raise DataError(f"log_prob: y has shape {y.shape}, but X has {len(p.mean)} rows")
        y = y.reshape(len(p.mean), -1)
        return np.asarray(p.log_prob(torch.from_numpy(y)))

    def _shaped(self, y: Tensor) -> np.ndarray:
        """`(N, T)` as y was when it was learned from."""
        return np.asarray(y[:, 0] if self.flat_ else y, dtype=np.float64)


# scikit-learn reads the settings off each __init__, so both write all of theirs out
class DistributionRegressor(_Estimator):
    """A net with any head: one distribution p(y | x) for every row. `score` is R^2 of the mean.

    Args:
        likelihood: p(y | x): `normal`, `normal-shared`, `normal-learned`, `laplace`, `laplace-learned`,
            `multivariate-normal`, `bernoulli` for 0 and 1, `continuous-bernoulli` for [0, 1].
        hidden: sizes of the hidden layers.
        steps: of Adam.
        batch_size: rows a step.
        learning_rate: at the start; it falls to 0 along a cosine.
        weight_decay: of AdamW.
        random_state: of weights, order and held-out rows.

    >>> import numpy as np
    >>> X = np.linspace(0, 1, 200)[:, None]
    >>> model = DistributionRegressor(steps=200, random_state=0).fit(X, 100 * X[:, 0])
    >>> mean, std = model.predict(X, return_std=True)
    >>> bool(model.score(X, 100 * X[:, 0]) > 0.9)
    True
    """

    name = "regressor"

    def __init__(
        self,
        likelihood: LikelihoodName = "normal-learned",
        hidden: tuple[int, ...] = (64, 64),
        steps: int = 1000,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.likelihood = likelihood
        self.hidden = hidden
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _config(self) -> RegressorConfig:
        settings = {"likelihood": self.likelihood, "hidden": self.hidden}
        return configure((RegressorConfig(),), settings)[0]


class MDNRegressor(_Estimator):
    """Mixture density network: p(y | x) with several modes (see `simulacra.models.mdn`). `score` is R^2 of
    the mean, which is no good measure where several answers are right; `log_prob(X, y).mean()` is.

    Args:
        components: number K of normals.
        covariance: of each, `diagonal` or `full`.
        hidden, steps, batch_size, learning_rate, weight_decay, random_state: as in `DistributionRegressor`.
    """

    name = "mdn"

    def __init__(
        self,
        components: int = 5,
        covariance: Literal["diagonal", "full"] = "diagonal",
        hidden: tuple[int, ...] = (64, 64),
        steps: int = 1000,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.components = components
        self.covariance = covariance
        self.hidden = hidden
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.random_state = random_state

    def _config(self) -> MDNConfig:
        settings = {"components": self.components, "covariance": self.covariance, "hidden": self.hidden}
        return configure((MDNConfig(),), settings)[0]

    def mode(self, X: Any) -> np.ndarray:
        """The most probable answer, the highest mode of p(y | x): `(N,)` or `(N, T)`."""
        return self._shaped(modes(self.distribution(X)).values[:, 0])
