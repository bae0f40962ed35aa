"""Whether single latents stand for single factors of the data: DCI and MIG.

The factors are the attributes of the data, whose examples are encoded. Latents of a generator without an
encoder are drawn, and the factors are the attributes of its samples, as another model predicts them. Both
metrics are meant for factors that are known, and drawn independently of each other, as those of `faces` are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np

from simulacra.core.capabilities import Encodes, Generates
from simulacra.core.inference import decode, encode_all
from simulacra.core.noise import Noise
from simulacra.metrics.registry import Measurement, Metric, register

if TYPE_CHECKING:
    from simulacra.metrics.evaluation import Evaluation

# training examples of the forests: four times as many took four times as long
FITTED = 2000
TREES, LEAF = 10, 5
# of the histograms of latents and of factors with more values (Locatello et al. 2019, arXiv:1811.12359)
BINS = 20


@dataclass(frozen=True)
class DCI:
    """Disentanglement, completeness and informativeness (Eastwood and Williams 2018).

    Attributes:
        importance: how much each latent matters for the prediction of each factor, `(Z, K)`; the columns add
            up to 1, or are 0 where no latent matters.
        informativeness: R^2 of the prediction of each factor on held-out examples, `(K,)`, at most 1.
    """

    importance: np.ndarray
    informativeness: np.ndarray

    @property
    def disentanglement(self) -> float:
        """1 where every latent matters for one factor only, 0 where each matters equally for all."""
        R = self.importance
        if R.sum() == 0:
            return 0.0
        # D = sum_i rho_i D_i, D_i = 1 - H_K(P_i), P_ij = R_ij / sum_k R_ik, rho_i = sum_j R_ij / sum_ij R_ij
        return float(_concentration(R) @ R.sum(axis=1) / R.sum())

    @property
    def completeness(self) -> np.ndarray:
        """For each factor 1 where one latent alone matters for it, 0 where all matter equally, `(K,)`."""
        return _concentration(self.importance.T)


def _concentration(R: np.ndarray) -> np.ndarray:
    """1 - H_n(p) of every row `(M, n)` as a distribution p, with logarithms to base n; 0 of rows of zeros."""
    total = R.sum(axis=1, keepdims=True)
    p = R / np.where(total > 0, total, 1)
    entropy = -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1)
    return np.where(total[:, 0] > 0, 1 - entropy / log(R.shape[1]), 0)


def dci(
    train: np.ndarray, factors_train: np.ndarray, test: np.ndarray, factors: np.ndarray, seed: int = 0
) -> DCI:
    """DCI with random forests, as one of the two regressors of the paper.

    A forest predicts each factor from all latents; how much a latent matters is the share of the decrease of
    the squared error at its splits. The forest has 10 trees with at least 5 examples in a leaf.

    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=(3000, 3))
    >>> found = dci(z[:2000], z[:2000, ::-1], z[2000:], z[2000:, ::-1])
    >>> found.importance.argmax(axis=0).tolist(), found.disentanglement > 0.95
    ([2, 1, 0], True)

    Args:
        train: latents `(N, Z)`, at least two, that the forests are fitted to.
        factors_train: their factors `(N, K)`, at least two.
        test: latents `(M, Z)` that `informativeness` is measured on.
        factors: their factors `(M, K)`.
        seed: random seed of the forests.
    """
    from sklearn.ensemble import RandomForestRegressor

    importance, informativeness = [], []
    for known, truth in zip(factors_train.T, factors.T, strict=True):
        forest = RandomForestRegressor(TREES, min_samples_leaf=LEAF, random_state=seed).fit(train, known)
        importance.append(forest.feature_importances_)
        error = np.square(forest.predict(test) - truth).mean()
        informativeness.append(1 - error / truth.var())
    return DCI(np.stack(importance, axis=1), np.array(informativeness))


def mig(z: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The mutual information gap of each factor `(K,)`, from 0 to 1 (Chen et al. 2018, arXiv:1802.04942).

    The difference between the two latents that have most information about a factor, as a share of its
    entropy (eq. 6). Information is that of histograms: latents, and factors with more than 20 values, are
    divided into 20 bins of equal width.

    >>> z = np.random.default_rng(0).uniform(size=(5000, 2))
    >>> mig(z, z[:, ::-1]).round(1).tolist()
    [1.0, 1.0]

    Args:
        z: latents `(N, Z)`.
        factors: `(N, K)`, none of them constant.
    """
    latents = [_histogram(column) for column in z.T]
    gaps = []
    for column in factors.T:
        values, index = np.unique(column, return_inverse=True)
        v = index if len(values) <= BINS else _histogram(column)
        information = sorted([0.0, *(_mutual_information(latent, v) for latent in latents)])
        # H(v) = I(v; v)
        gaps.append((information[-1] - information[-2]) / _mutual_information(v, v))
    return np.array(gaps)


def _histogram(column: np.ndarray) -> np.ndarray:
    """The bin of every value, of 20 of equal width."""
    edges = np.linspace(column.min(), column.max(), BINS + 1)
    return np.searchsorted(edges[1:-1], column, side="right")


def _mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """I(a; b) in nats of two columns of small whole numbers `(N,)`."""
    joint = np.bincount(a * (b.max() + 1) + b).astype(np.float64)
    joint = np.pad(joint, (0, (a.max() + 1) * (b.max() + 1) - len(joint))).reshape(-1, b.max() + 1) / len(a)
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / independent[some])).sum())


def factor_columns(values: np.ndarray) -> list[int]:
    """The attributes that are factors: those that vary, and are no threshold of another one.

    >>> smile = np.linspace(-1, 1, 50)
    >>> factor_columns(np.stack([smile, smile > 0, np.ones(50)], axis=1))
    [0]

    Args:
        values: `(N, A)`.
    """
    varying = [i for i in range(values.shape[1]) if np.ptp(values[:, i]) > 0]

    def follows(i: int) -> bool:
        if len(np.unique(values[:, i])) > 2:
            return False
        above = values[:, i] == values[:, i].max()
        finer = [values[:, j] for j in varying if len(np.unique(values[:, j])) > 2]
        return any(other[~above].max() < other[above].min() for other in finer)

    return [i for i in varying if not follows(i)]


def _disentanglement(evaluation: Evaluation) -> dict[str, Any]:
    """Of the first space also by factor, in `columns`; of the other spaces by their names."""
    names, spaces = (_encoded if isinstance(evaluation.model, Encodes) else _sampled)(evaluation)
    if isinstance(names, str):
        return {"left_out": f"disentanglement {names}"}
    (_, first), *others = ((space, _of_latents(*halves, evaluation.seed)) for space, halves in spaces)
    by_factor = {
        name: {key: float(values[j]) for key, values in first.items() if values.ndim}
        for j, name in enumerate(names)
    }
    numbers = {**_means(first), "columns": by_factor}
    directions = {f"space {space}": _means(values) for space, values in others}
    return numbers | ({"directions": directions} if directions else {})


# of each space its name, latents and factors that forests are fitted to, and others that they are measured on
Halves = Iterable[tuple[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]]


def _encoded(evaluation: Evaluation) -> tuple[list[str] | str, Halves]:
    """The factors of data, and the latents that they are encoded to; or why there are none."""
    train, dataset = evaluation.data.train.take(slice(0, FITTED)), evaluation.dataset
    columns = []
    if train.attributes is not None and dataset.attributes is not None and len(train):
        columns = factor_columns(train.attributes)
        columns = [i for i in columns if np.ptp(dataset.attributes[:, i]) > 0]
    if len(columns) < 2:
        return "needs two or more attributes that vary, in the training split too", ()
    names = [dataset.spec.attributes[i] for i in columns]

    def spaces() -> Halves:
        for space in evaluation.model.spaces:
            halves = []
            for part in (train, dataset):
                assert part.attributes is not None, "checked above"
                z = encode_all(evaluation.model, part, space.name)[0].flatten(1).numpy()
                halves += [z, part.attributes[:, columns]]
            yield space.name, (halves[0], halves[1], halves[2], halves[3])

    return names, spaces()


def _sampled(evaluation: Evaluation) -> tuple[list[str] | str, Halves]:
    """The factors of samples as they are predicted, and the latents that the samples are decoded from."""
    model, predictor, dataset = evaluation.model, evaluation.predicts, evaluation.dataset
    if predictor is None:
        return "of a generator needs a classifier that predicts the factors of its samples", ()
    known = dataset.spec.attributes
    factors = [] if dataset.attributes is None else factor_columns(dataset.attributes)
    chosen = [
        i for i, name in enumerate(predictor.names) if name not in known or known.index(name) in factors
    ]
    if len(chosen) < 2:
        return "needs two or more attributes that vary and are predicted well", ()

    def spaces() -> Halves:
        for space in model.spaces:
            if space.prior is None:
                continue
            z = space.sample(FITTED + len(dataset), Noise(evaluation.seed)).cpu()
            if z.ndim == 3 and bool((z == z[:, :1]).all()):
                # copies of one latent for every layer have no more to tell
                continue
            y = predictor.predict(evaluation.stored(decode(model, z, space.name)))[:, chosen]
            latents = z.flatten(1).numpy()
            yield space.name, (latents[:FITTED], y[:FITTED], latents[FITTED:], y[FITTED:])

    return [predictor.names[i] for i in chosen], spaces()


def _of_latents(
    z_train: np.ndarray, factors_train: np.ndarray, z: np.ndarray, factors: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """The metrics of a space; those of single factors `(K,)`."""
    numbers = {"mig": mig(z, factors)}
    # one latent alone matters for every factor, and nothing can be said about it
    if z.shape[1] > 1:
        found = dci(z_train, factors_train, z, factors, seed)
        numbers["disentanglement"] = np.array(found.disentanglement)
        numbers["completeness"] = found.completeness
        numbers["informativeness"] = found.informativeness
    return numbers


def _means(values: dict[str, np.ndarray]) -> dict[str, float]:
    return {key: float(value.mean()) for key, value in values.items()}


DISENTANGLEMENT = register(Measurement(
    name="disentanglement", needs=(Encodes, Generates), slow=True,
    metrics=(
        Metric("disentanglement", "disentanglement (DCI)",
            meaning="1 where each latent matters for one factor only, by random forests", better="higher"),
        Metric("completeness", "completeness (DCI)",
            meaning="1 where one latent alone matters for a factor, by random forests", better="higher"),
        Metric("informativeness", "informativeness (DCI)",
            meaning="R^2 of random forests that predict the factors from the latents", better="higher"),
        Metric("mig", "mutual information gap", meaning="between the two latents that have most information"
            " about a factor, as a share of its entropy; 20 bins", better="higher"),
    ),
    compute=_disentanglement, order=31,
))  # fmt: skip
