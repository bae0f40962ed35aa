"""What the latents of an encoder hold."""

from __future__ import annotations

import numpy as np

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
