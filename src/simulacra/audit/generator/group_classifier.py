"""Which group an example belongs to: as the data say, and as a classifier reads it."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from simulacra.core.batch import in_order
from simulacra.core.capabilities import Predicts
from simulacra.data.images.attributes import CLASS, with_classes
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.run import Run

# training examples that a classifier made on the spot learns from, and the side images then have at most
LEARNED, SIDE = 5_000, 32
BATCH = 250

Reader = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Axis:
    """One way to put examples in groups.

    Attributes:
        name: of the attribute, or of several crossed.
        groups: names of all K groups, of the data and of the classifier.
        train: group of each training example, `(N,)`.
        held: group of each held-out example, `(H,)`.
        held_read: what the classifier reads each as, `(H,)`.
        read: examples as they are stored -> what it reads each as, `(M,)`.
        by: what reads, in words.
    """

    name: str
    groups: tuple[str, ...]
    train: np.ndarray
    held: np.ndarray
    held_read: np.ndarray
    read: Reader
    by: str

    @property
    def confusions(self) -> np.ndarray:
        """Held-out examples of each group by what they are read as, `(K, K)`."""
        return crossed(self.held, self.held_read, len(self.groups))

    def kept(self, minimum: int) -> list[int]:
        """Groups of which enough examples are held out to know how they are read."""
        counts = np.bincount(self.held, minlength=len(self.groups))
        return [int(g) for g in np.flatnonzero(counts >= minimum)]

    def counts(self, which: np.ndarray) -> np.ndarray:
        """Examples of each group, `(K,)`."""
        return np.bincount(which, minlength=len(self.groups))


def crossed(first: np.ndarray, second: np.ndarray, K: int) -> np.ndarray:
    """How many pairs of K groups each there are, `(K, K)`."""
    return np.bincount(first * K + second, minlength=K * K).reshape(K, K)


def axes(
    data: Data,
    attributes: Sequence[str],
    classifiers: Sequence[Path],
    features: Callable[[np.ndarray], np.ndarray] | None,
    source: str,
    split: str,
) -> list[Axis]:
    """One for each attribute, and one with all of them crossed where there are several.

    Args:
        data: with attributes; held out are its validation and test splits.
        attributes: as `data.attributes.labelled` takes them.
        classifiers: runs, one for each attribute; none: a linear one is trained.
        features: what a linear one sees; None: the numbers themselves.
        source: how the user calls the data.
        split: whose shares are those of the data.

    Raises:
        DataError: an attribute is not there.
        ConfigError, RunError: a classifier does not fit.
    """
    found = []
    for i, attribute in enumerate(attributes):
        of = with_classes(data, attribute)
        command = training(source, attribute, data.spec)
        if classifiers:
            names, read = of_run(classifiers[i], attribute, of.spec, command)
            by = str(classifiers[i])
        else:
            names, read = of.spec.classes, linear(of.train, features)
            by = f"a linear classifier, of {min(len(of.train), LEARNED):,} training examples"
        groups = tuple(dict.fromkeys([*of.spec.classes, *names]))
        place = np.array([groups.index(name) for name in names])

        def reader(x: np.ndarray, read: Reader = read, place: np.ndarray = place) -> np.ndarray:
            picked: np.ndarray = place[read(x)]
            return picked

        held = [of.validation, of.test]
        y = np.concatenate([part.y for part in held if part.y is not None])
        shown = reader(np.concatenate([part.x for part in held]))
        seen = of.split(split).y
        assert seen is not None
        found.append(Axis(attribute, groups, seen, y, shown, reader, by))
    return [*found, together(found)] if len(found) > 1 else found


def reads(found: Sequence[Axis], x: np.ndarray) -> list[np.ndarray]:
    """What examples are read as along every axis of `axes`; each classifier looks once."""
    alone = found if len(found) == 1 else found[:-1]
    each = [axis.read(x) for axis in alone]
    if len(found) > 1:
        both = each[0]
        for axis, other in zip(alone[1:], each[1:], strict=True):
            both = both * len(axis.groups) + other
        each.append(both)
    return each


def together(found: Sequence[Axis]) -> Axis:
    """All of them crossed: `White & female`."""
    whole = found[0]
    for other in found[1:]:
        K, first = len(other.groups), whole

        def reader(x: np.ndarray, first: Axis = first, other: Axis = other, K: int = K) -> np.ndarray:
            return first.read(x) * K + other.read(x)

        whole = Axis(
            f"{first.name} & {other.name}",
            tuple(f"{a} & {b}" for a in first.groups for b in other.groups),
            first.train * K + other.train,
            first.held * K + other.held,
            first.held_read * K + other.held_read,
            reader,
            f"{first.by}, {other.by}" if first.by != other.by else first.by,
        )
    return whole


def training(source: str, attribute: str, spec: DataSpec) -> str:
    """The command that trains a classifier for an attribute."""
    words = ["simulacra", "train", "classifier", "--data", source.partition("@")[0]]
    words += [] if attribute == CLASS else ["--target", attribute]
    if spec.kind == "image":
        words += ["--image-size", str(spec.shape[1]), "--channels", str(spec.shape[0])]
    return shlex.join([*words, "--out", f"runs/{attribute}"])


def of_run(path: Path, attribute: str, spec: DataSpec, command: str) -> tuple[tuple[str, ...], Reader]:
    """The classes that a run names, and how it reads.

    Raises:
        RunError: there is no run, or none that names classes.
        ConfigError: it looks at something else, or does not know a group.
    """
    run = Run(path)
    about = run.config.spec
    model = run.load()
    if not isinstance(model, Predicts) or not about.classes:
        raise RunError(f"{path}: a {run.config.model} names no classes; train a classifier: {command}")
    if about.shape != spec.shape:
        raise ConfigError(
            f"classifier: {path} looks at examples of shape {about.shape}, these are {spec.shape}; train "
            f"one: {command}"
        )
    unknown = [name for name in spec.classes if name not in about.classes]
    if unknown:
        raise ConfigError(
            f"classifier: {path} never saw the group '{unknown[0]}' of '{attribute}': it tells "
            f"{', '.join(about.classes[:10])}; train one: {command}"
        )

    def read(x: np.ndarray) -> np.ndarray:
        parts = [np.zeros(0, np.int64)]
        with torch.no_grad():
            for batch in in_order(Dataset(about, x), BATCH, model.device):
                p = model.predict(batch.x)
                probs = p.probs if hasattr(p, "probs") and p.probs.shape[-1] > 1 else None
                probs = torch.cat([1 - p.mean, p.mean], dim=1) if probs is None else probs
                parts.append(probs.argmax(dim=1).cpu().numpy())
        return np.concatenate(parts)

    return about.classes, read


def linear(train: Dataset, features: Callable[[np.ndarray], np.ndarray] | None) -> Reader:
    """Logistic regression, of features or of numbers; images are brought to `SIDE` pixels first."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    look = features or numbers
    assert train.y is not None
    x, y = look(train.x[:LEARNED]), train.y[:LEARNED]
    if len(np.unique(y)) < 2:
        raise DataError("classifier: the training examples are of one group only; give one with --classifier")
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    with warnings.catch_warnings():
        # to stop early is to regularise: how well it reads is counted on held-out examples
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(x, y)

    def read(x: np.ndarray) -> np.ndarray:
        parts = [probe.predict(look(x[i : i + LEARNED])) for i in range(0, len(x), LEARNED)]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    return read


def numbers(x: np.ndarray) -> np.ndarray:
    """Examples in rows of numbers, `(N, F)`; images averaged down to at most `SIDE` pixels a side."""
    if x.ndim == 2:
        return x
    parts = []
    for start in range(0, len(x), BATCH):
        part = torch.from_numpy(np.array(x[start : start + BATCH])).float()
        if max(part.shape[2:]) > SIDE:
            part = F.adaptive_avg_pool2d(part, (min(part.shape[2], SIDE), min(part.shape[3], SIDE)))
        parts.append(part.flatten(1).numpy())
    return np.concatenate(parts)
