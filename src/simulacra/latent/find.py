"""How directions are found: from latents with and without an attribute, and without labels.

>>> import torch
>>> z = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
>>> examples = Examples(z[:100] + torch.tensor([3.0, 0.0, 0.0]), z[100:])
>>> smile = labelled("smile", "z", examples)
>>> [round(number) for number in smile.vector.tolist()], smile.details["error"]["angle"] < 10
([3, 0, 0], True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import acos, degrees, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.errors import ConfigError, DataError, nearest
from simulacra.latent.directions import Direction, remainder

# examples of each kind without which there is no direction, and below which there is a warning and no error
FEWEST, FEW = 2, 10
# bootstrap replicates; those of a logistic regression take seconds
BOOTSTRAPS = 100
# folds of the cross-validation where nothing is held out
FOLDS = 10
LEVEL = 0.95
# share of the mean variance of the dimensions above which one is active
ACTIVE = 0.01


@dataclass(frozen=True)
class Examples:
    """Latents of examples with an attribute, and of others without it.

    Attributes:
        positive: `(P, *shape of the space)`.
        negative: `(N, *shape of the space)`.
    """

    positive: Tensor
    negative: Tensor

    @property
    def counts(self) -> dict[str, int]:
        """The number of each kind."""
        return {"with": len(self.positive), "without": len(self.negative)}

    def scaled(self, factor: Tensor) -> Examples:
        """All latents times a factor, e.g. with 0 for what is to be left out."""
        return Examples(factor * self.positive, factor * self.negative)


def means(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """The difference of the means `(Z,)` of latents `(P, Z)` and `(N, Z)`."""
    difference: np.ndarray = positive.mean(axis=0) - negative.mean(axis=0)
    return difference


def logistic(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """The normal `(Z,)` of a logistic regression on latents `(P, Z)` and `(N, Z)`, standardised for it.

    Its length is the distance of the means along it.
    """
    from sklearn.linear_model import LogisticRegression

    z = np.concatenate([positive, negative])
    y = np.arange(len(z)) < len(positive)
    mean, scale = z.mean(axis=0), z.std(axis=0)
    # w / scale would lie in dimensions that hardly vary, e.g. those that a VAE does not use, alone
    scale[scale**2 <= ACTIVE * np.square(scale).mean()] = np.inf
    regression = LogisticRegression(max_iter=2000, class_weight="balanced").fit((z - mean) / scale, y)
    # w^T (z - mean) / scale: the normal in units of z
    normal = regression.coef_[0] / scale
    unit = normal / max(float(np.linalg.norm(normal)), 1e-30)
    return np.asarray(unit * abs(unit @ means(positive, negative)))


def channels(positive: np.ndarray, negative: np.ndarray, count: int = 1) -> np.ndarray:
    """The difference of the means in the numbers of a latent that differ most, and 0 in all others, `(Z,)`.

    Those with the largest |m - n| / s, the means m and n of latents `(P, Z)` and `(N, Z)`, s the standard
    deviation of the former (StyleSpace, Wu et al. 2021, arXiv:2011.12799, section 5).

    >>> channels(np.array([[5.0, 1.0], [-1.0, 3.0]]), np.zeros((2, 2)))
    array([0., 2.])

    Args:
        positive: `(P, Z)`.
        negative: `(N, Z)`.
        count: of the numbers that are kept; those that never vary are not.
    """
    difference, spread = means(positive, negative), positive.std(axis=0)
    relevance = np.abs(difference) / np.where(spread > 1e-12, spread, np.inf)
    kept = np.argsort(-relevance, kind="stable")[:count]
    vector = np.zeros_like(difference)
    vector[kept] = difference[kept]
    return vector


METHODS: dict[str, Callable[..., np.ndarray]] = {"means": means, "logistic": logistic, "channels": channels}


def labelled(
    name: str,
    space: str,
    examples: Examples,
    held_out: Examples | None = None,
    method: str = "means",
    others: Sequence[Direction] = (),
    seed: int = 0,
    details: Mapping[str, Any] | None = None,
    count: int = 1,
) -> Direction:
    """The direction from examples without an attribute to those with it.

    Args:
        name: of the direction.
        space: name of the latent space.
        examples: latents that it is found from.
        held_out: latents that its accuracy is measured on, as many of each kind as there are of the rarer;
            None for cross-validation.
        method: `means`, the difference of the means; `logistic`, the normal of a logistic regression; or
            `channels`, the difference of the means in the numbers of a latent that differ most, and 0 in all
            others.
        others: directions that it has to be orthogonal to: `Direction.orthogonal`.
        seed: of the bootstrap, and of what is held out.
        details: what else is known about it.
        count: of the numbers that `channels` keeps.

    Returns:
        The direction. Its details have `examples`, how many of each kind; `held_out_accuracy`, the share of
        held-out examples on the right side of the midpoint between the means along it, with Wilson's
        interval; `threshold`, the midpoint, as a value of z^T vector; and `error`: an estimate, by bootstrap,
        of the `cosine` with the direction that endlessly many examples would give, and the `angle` in
        degrees. Of a logistic normal it is a lower bound, `lower_bound`: its penalty counts less with more
        examples, which turns the normal, too. With fewer than 10 examples of a kind `error` is None: it
        could be far too small by chance. Those of `channels` have the places of these, `channels`.

    Raises:
        ConfigError: there is no such method, the direction lies in the span of the others, or it is to be
            orthogonal to others and of few channels.
        DataError: there are fewer than 2 examples of a kind, or the direction is zero.
    """
    if method not in METHODS:
        raise ConfigError(f"method: unknown '{method}', {nearest(method, METHODS)}")
    if method == "channels" and others:
        raise ConfigError(
            "method: channels moves few numbers, orthogonal to nothing; leave orthogonal-to out"
        )
    for kind, n in examples.counts.items():
        if n < FEWEST:
            raise DataError(
                f"direction '{name}': there {'is' if n == 1 else 'are'} {n} example{'' if n == 1 else 's'}"
                f" {kind} it; at least {FEWEST} of each kind are needed, and {FEW} or more are better"
            )
    random = np.random.default_rng(seed)
    of = partial(channels, count=count) if method == "channels" else METHODS[method]
    shape = examples.positive.shape[1:]
    spanned = np.stack([np.asarray(o.vector.flatten(), np.float64) for o in others]) if others else None

    def find(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
        v = of(positive, negative)
        return v if spanned is None else remainder(torch.from_numpy(v), torch.from_numpy(spanned)).numpy()

    positive, negative = _flat(examples)
    v = torch.from_numpy(of(positive, negative))
    if not bool(v.any()):
        raise DataError(f"direction '{name}': the latents of examples with and without it are the same")
    direction = Direction(name, space, v.reshape(shape), method, details or {}).orthogonal(*others)
    vector = np.asarray(direction.vector.flatten(), np.float64)
    if held_out is None:
        accuracy = _shares(_cross_validated(find, positive, negative, random), "cross-validation")
    else:
        pairs = _balanced(*_flat(held_out), random)
        accuracy = _shares(_is_right(vector, _threshold(vector, positive, negative), *pairs), "held-out data")
    error = None
    if not _few(examples.counts):
        error = _bootstrap(find, vector, positive, negative, random) | {"lower_bound": method == "logistic"}
    found: dict[str, Any] = {
        "examples": examples.counts,
        "held_out_accuracy": accuracy,
        "threshold": _threshold(vector, positive, negative),
        "error": error,
        "seed": seed,
    }
    if method == "channels":
        found["channels"] = np.flatnonzero(vector).tolist()
    return Direction(name, space, direction.vector, method, {**direction.details, **found})


def _few(counts: Mapping[str, int]) -> bool:
    return min(counts.values()) < FEW


def _flat(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Latents as float64 `(P, Z)` and `(N, Z)`."""
    positive, negative = (z.flatten(1).double().cpu() for z in (examples.positive, examples.negative))
    return positive.numpy(), negative.numpy()


def _threshold(v: np.ndarray, positive: np.ndarray, negative: np.ndarray) -> float:
    """The midpoint between the means, along v."""
    return float((positive @ v).mean() + (negative @ v).mean()) / 2


def _is_right(v: np.ndarray, threshold: float, positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Whether each latent is on its side of the midpoint, bool `(P + N,)`."""
    return np.concatenate([positive @ v > threshold, negative @ v <= threshold])


def _balanced(
    positive: np.ndarray, negative: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random latents, as many of each kind as there are of the rarer."""
    n = min(len(positive), len(negative))
    return positive[random.permutation(len(positive))[:n]], negative[random.permutation(len(negative))[:n]]


def _cross_validated(
    find: Callable[[np.ndarray, np.ndarray], np.ndarray],
    positive: np.ndarray,
    negative: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Whether each example is on its side of the direction that the other folds give."""
    folds = min(FOLDS, len(positive), len(negative))
    parts = [np.array_split(random.permutation(len(z)), folds) for z in (positive, negative)]
    right = []
    for p, n in zip(*parts, strict=True):
        rest = np.delete(positive, p, axis=0), np.delete(negative, n, axis=0)
        v = find(*rest)
        right.append(_is_right(v, _threshold(v, *rest), positive[p], negative[n]))
    return np.concatenate(right)


def _shares(right: np.ndarray, on: str) -> dict[str, Any] | None:
    """A share with Wilson's interval; None without examples."""
    from scipy.stats import binomtest

    if not len(right):
        return None
    test = binomtest(int(right.sum()), len(right))
    low, high = test.proportion_ci(LEVEL, method="wilson")
    return {
        "value": float(right.mean()),
        "low": float(low),
        "high": float(high),
        "n": len(right),
        "measured_on": on,
    }


def _bootstrap(
    find: Callable[[np.ndarray, np.ndarray], np.ndarray],
    v: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    random: np.random.Generator,
) -> dict[str, Any]:
    """The error of a direction.

    With v = d + e, d the direction of endlessly many examples, and E|e|^2 = s^2: E|v|^2 = |d|^2 + s^2; the
    cosine of v and d is close to |d| / |v|, which sqrt(1 - s^2 / |v|^2) estimates. The cosine of v and its
    replicates would not: they have the error e in common.
    """
    variance = 0.0
    for resampled in _replicates(positive, negative, random):
        variance += float(((find(*resampled) - v) ** 2).sum()) / BOOTSTRAPS
    n = min(len(positive), len(negative))
    # the variance of n numbers under the bootstrap is (n - 1) / n of theirs
    variance *= n / (n - 1)
    cosine = sqrt(max(0.0, 1 - variance / float(v @ v)))
    return {"cosine": cosine, "angle": degrees(acos(min(cosine, 1.0))), "bootstraps": BOOTSTRAPS}


def _replicates(
    positive: np.ndarray, negative: np.ndarray, random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Examples of each kind drawn with replacement, as many as there are."""
    for _ in range(BOOTSTRAPS):
        p, n = (random.integers(len(z), size=len(z)) for z in (positive, negative))
        yield positive[p], negative[n]


def cautions(direction: Direction) -> list[str]:
    """Sentences about what makes a labelled direction unsure."""
    found = []
    counts, accuracy = direction.details.get("examples"), direction.details.get("held_out_accuracy")
    if isinstance(counts, dict) and _few(counts):
        found.append(
            f"direction '{direction.name}' comes from {counts['with']} + {counts['without']} examples; take"
            f" {FEW} or more of each kind"
        )
    if accuracy and accuracy["low"] <= 0.5:
        found.append(
            f"direction '{direction.name}' does not separate {accuracy['measured_on']} better than chance:"
            f" {accuracy['value']:.0%} of {accuracy['n']}"
        )
    return found


def principal(z: Tensor, features: Tensor, components: int) -> tuple[Tensor, list[float]]:
    """Directions of the largest variance of features (GANSpace, Härkönen et al. 2020, arXiv:2004.02546).

    The scores of the principal components of the features, scaled to unit variance, predict z linearly; the
    coefficients are the directions. Where the features are z itself these
    are its principal components, as long as the standard deviation along them.

    Args:
        z: latents `(N, *shape)`.
        features: what each is decoded to, `(N, ...)`, or z.
        components: number of directions K; fewer where the features have fewer dimensions.

    Returns:
        The directions `(K, *shape)`, each with its largest entry positive, and the share of the variance of
        the features that each explains.
    """
    codes, x = (t.flatten(1).double().cpu() for t in (z, features))
    x = x - x.mean(dim=0)
    n, d = x.shape
    # eigenvectors of the smaller of X^T X and X X^T; u, the scores at unit variance, are those of X X^T
    if n <= d:
        values, u = torch.linalg.eigh(x @ x.T)
    else:
        values, v = torch.linalg.eigh(x.T @ x)
        u = x @ v / values.clamp(min=1e-30).sqrt()
    k = min(components, int((values > 1e-10 * values.max()).sum()))
    values, u = values.flip(0), u.flip(1)[:, :k] * sqrt(n)
    vectors = _signed(u.T @ (codes - codes.mean(dim=0)) / n)
    return vectors.float().reshape(-1, *z.shape[1:]), (values[:k] / values.sum()).tolist()


def sefa(A: Tensor, components: int) -> tuple[Tensor, list[float]]:
    """Directions that change the output A z + b of a layer most (Shen and Zhou 2021, arXiv:2007.06600).

    The maxima of |A n|^2 over unit vectors n are the eigenvectors of A^T A with the largest eigenvalues.

    >>> sefa(torch.tensor([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), 1)
    (tensor([[1., 0.]]), [0.6923076923076923])

    Args:
        A: the weights `(F, Z)`.
        components: number of directions K; at most the rank of A.

    Returns:
        Unit vectors `(K, Z)`, each with its largest entry positive, and the share of each eigenvalue.
    """
    values, vectors = torch.linalg.eigh(A.double().T @ A.double())
    k = min(components, int((values > 1e-10 * values.max()).sum()))
    top = _signed(vectors.flip(1).T[:k])
    return top.float(), (values.flip(0)[:k] / values.sum()).tolist()


def _signed(vectors: Tensor) -> Tensor:
    """Rows, each with its largest entry positive."""
    largest = vectors.abs().argmax(dim=1, keepdim=True)
    return vectors * vectors.gather(1, largest).sign()
