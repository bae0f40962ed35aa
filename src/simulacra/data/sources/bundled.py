"""The tables that come with scikit-learn: `diabetes`, `iris`, `wine` and `breast-cancer`.

Nothing is scaled. Sources: B. Efron et al., Least Angle Regression (2004), for diabetes; the UCI repository
for the others (Fisher's Iris, Wine, Breast Cancer Wisconsin Diagnostic).
"""

from __future__ import annotations

import numpy as np

from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.data.splits import split_data


def load(name: str, argument: str, options: Options) -> Data:
    """A table, split by content: x float32 `(N, D)`, and its classes or, for diabetes, its target `(N, 1)`.

    >>> spec = load("iris", "", Options()).spec
    >>> spec.columns[0], spec.classes
    ('sepal length (cm)', ('setosa', 'versicolor', 'virginica'))
    >>> load("diabetes", "", Options()).spec.target.columns
    ('disease progression',)
    """
    from sklearn import datasets

    # scikit-learn's diabetes comes standardised if not asked otherwise
    raw = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name.replace('-', '_')}")(**raw)
    x = bunch.data.astype(np.float32)
    columns = tuple(_tidy(column) for column in bunch.feature_names)
    if name == "diabetes":
        target = DataSpec("vector", (1,), columns=("disease progression",))
        spec = DataSpec("vector", x.shape[1:], columns=columns, target=target)
        t = bunch.target.astype(np.float32)[:, None]
        return split_data(name, Dataset(spec, x, target=t))
    spec = DataSpec("vector", x.shape[1:], tuple(map(_tidy, bunch.target_names)), columns=columns)
    return split_data(name, Dataset(spec, x, bunch.target.astype(np.int64)))


def _tidy(name: str) -> str:
    return str(name).replace("_", " ")
