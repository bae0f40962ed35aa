"""What the latents of an encoder tell about the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulacra.core.capabilities import Encodes
from simulacra.core.inference import encode_all
from simulacra.metrics.registry import ANY_KIND, Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# The probes take a moment on more examples, and learn nothing new.
PROBED = 10_000
# A dimension whose posterior mean has a larger variance over the data is active (Burda et al. 2016, eq. 11).
ACTIVE = 0.01


def active_units(mu: np.ndarray) -> int:
    """Dimensions whose posterior mean varies: Var_x(E[z | x]) > 0.01 (Burda et al. 2016, eq. 11).

    Args:
        mu: posterior means `(N, Z)`.

    >>> active_units(np.array([[0.0, 1.0], [0.0, -1.0]]))
    1
    """
    return int((mu.var(axis=0) > ACTIVE).sum())


def whitening(mu: np.ndarray, sigma: np.ndarray) -> dict[str, float]:
    """How far latents are from mean 0, variance 1 and no correlation; 0 of white ones.

    The latents are draws from q(z) = E_x q(z | x), q(z | x) with mean mu and standard deviation sigma:
    E[z] = E[mu], Cov[z] = Cov[mu] + diag E[sigma^2].

    >>> z = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> whitening(3 * z + 2, np.zeros((4, 2)))
    {'whitening_mean': 2.0, 'whitening_variance': 8.0, 'whitening_correlation': 0.0}

    Args:
        mu: posterior means `(N, Z)`.
        sigma: posterior standard deviations `(N, Z)`.

    Returns:
        Root mean squares: of the means, of the differences of the variances from 1, and of the correlations
        of different latents (0 where one of two does not vary, or there is one latent).
    """
    mu, sigma = mu.astype(np.float64), sigma.astype(np.float64)
    covariance = np.atleast_2d(np.cov(mu.T, bias=True)) + np.diag(np.square(sigma).mean(axis=0))
    variance = covariance.diagonal()
    std = np.sqrt(np.where(variance > 0, variance, np.inf))
    correlation = covariance / np.outer(std, std)
    other = correlation[~np.eye(len(variance), dtype=bool)]
    return {
        "whitening_mean": _rms(mu.mean(axis=0)),
        "whitening_variance": _rms(variance - 1),
        "whitening_correlation": _rms(other) if len(other) else 0.0,
    }


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.square(x).mean()))


def knn_accuracy(train: np.ndarray, y_train: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> float:
    """Share of `test` latents `(N, Z)` whose 10 nearest training latents vote for their class."""
    from sklearn.neighbors import KNeighborsClassifier

    neighbours = min(10, len(train))
    return float(KNeighborsClassifier(neighbours).fit(train, y_train).score(test, y_test))


def linear_probe_accuracy(
    train: np.ndarray, y_train: np.ndarray, test: np.ndarray, y_test: np.ndarray
) -> float:
    """Share of `test` latents `(N, Z)` that logistic regression on standardised latents gets right."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, y_train = train[:PROBED], y_train[:PROBED]
    if len(np.unique(y_train)) < 2:
        return float((y_test == y_train[0]).mean())
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return float(probe.fit(train, y_train).score(test, y_test))


def _latents(evaluation: Evaluation) -> dict[str, float]:
    """The probes are fitted to the training split."""
    train, dataset = evaluation.data.train, evaluation.dataset
    mu, sigma = (part.flatten(1).numpy() for part in encode_all(evaluation.model, dataset))
    numbers: dict[str, float] = {"active_units": active_units(mu), "latent_dim": mu.shape[1]}
    numbers |= whitening(mu, sigma)
    if len(train) and train.y is not None and dataset.y is not None:
        mu_train = encode_all(evaluation.model, train)[0].flatten(1).numpy()
        numbers["knn_accuracy"] = knn_accuracy(mu_train, train.y, mu, dataset.y)
        numbers["linear_probe_accuracy"] = linear_probe_accuracy(mu_train, train.y, mu, dataset.y)
    return numbers


LATENTS = register(Measurement(
    name="latents", needs=(Encodes,), kinds=ANY_KIND,
    metrics=(
        Metric("active_units", "active units",
            meaning="latent dimensions whose mean has a variance above 0.01 over the data",
            out_of="latent_dim"),
        Metric("whitening_mean", "whitening: mean", better="lower",
            meaning="root mean square of the means of the latents, which have mean 0 if they are white"),
        Metric("whitening_variance", "whitening: variance", better="lower",
            meaning="root mean square of what the variances of the latents differ from 1 by"),
        Metric("whitening_correlation", "whitening: correlation", better="lower",
            meaning="root mean square of the correlations of different latents"),
        Metric("knn_accuracy", "nearest-neighbour accuracy", "%",
            "of a nearest-neighbour classifier on the latents", "higher"),
        Metric("linear_probe_accuracy", "linear-probe accuracy", "%", "of a linear classifier on the latents",
            "higher"),
    ),
    settings=("latent_dim",), compute=_latents, order=30,
))  # fmt: skip
