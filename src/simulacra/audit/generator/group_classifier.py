"""Groups of examples: as the data say, and as a classifier predicts."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix

from simulacra.core.batch import in_order
from simulacra.core.capabilities import Predicts
from simulacra.core.inference import eval_mode
from simulacra.data.images.attributes import CLASS, with_classes
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.run import Run

# training examples that a linear classifier learns from, and the side to which images are reduced for it
EXAMPLES, SIDE = 5_000, 32
BATCH = 250

Classifier = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Grouping:
    """One way to divide examples into groups.

    Attributes:
        name: of the attribute, or of several crossed.
        groups: names of all K groups, of the data and of the classifier.
        train: group of each training example, `(N,)`.
        held_out: group of each held-out example, `(H,)`.
        held_out_predicted: group that the classifier predicts for each, `(H,)`.
        predict: stored examples -> the predicted group of each, `(M,)`.
        classifier: what the classifier is, for people.
    """

    name: str
    groups: tuple[str, ...]
    train: np.ndarray
    held_out: np.ndarray
    held_out_predicted: np.ndarray
    predict: Classifier
    classifier: str

    @property
    def confusions(self) -> np.ndarray:
        """Held-out examples of each group by their predicted group, `(K, K)`."""
        labels = np.arange(len(self.groups))
        return np.asarray(confusion_matrix(self.held_out, self.held_out_predicted, labels=labels))

    def counts(self, group: np.ndarray) -> np.ndarray:
        """Examples of each group, `(K,)`."""
        return np.bincount(group, minlength=len(self.groups))

    def large(self, minimum: int) -> list[int]:
        """Groups with enough held-out examples to know how they are classified."""
        return np.flatnonzero(self.counts(self.held_out) >= minimum).tolist()


def groupings(
    data: Data,
    attributes: Sequence[str],
    classifiers: Sequence[Path],
    features: Callable[[np.ndarray], np.ndarray] | None,
    source: str,
    split: str,
) -> list[Grouping]:
    """A grouping by each attribute, and one by all of them crossed if there are several.

    Args:
        data: with attributes; its validation and test splits are the held-out examples.
        attributes: as `with_classes` takes them.
        classifiers: a run for each attribute; if there are none, linear classifiers are trained.
        features: the input of a linear classifier; pixels or numbers if None.
        source: the data, as the user names them.
        split: the split whose shares are the shares of the data.

    Raises:
        DataError: the data lack an attribute.
        ConfigError, RunError: a classifier does not fit.
    """
    found = []
    for i, attribute in enumerate(attributes):
        of = with_classes(data, attribute)
        if classifiers:
            command = training_command(source, attribute, data.spec)
            names, classify = from_run(classifiers[i], attribute, of.spec, command)
            classifier = str(classifiers[i])
        else:
            names, classify = of.spec.classes, linear(of.train, features)
            classifier = f"a linear classifier, of {min(len(of.train), EXAMPLES):,} training examples"
        groups = tuple(dict.fromkeys([*of.spec.classes, *names]))
        index = np.array([groups.index(name) for name in names])

        def predict(x: np.ndarray, classify: Classifier = classify, index: np.ndarray = index) -> np.ndarray:
            return np.asarray(index[classify(x)])

        predicted = predict(np.concatenate([of.validation.x, of.test.x]))
        held_out = np.concatenate([_labels(of.validation), _labels(of.test)])
        train = _labels(of.split(split))
        found.append(Grouping(attribute, groups, train, held_out, predicted, predict, classifier))
    return [*found, _crossed(found)] if len(found) > 1 else found


def _labels(dataset: Dataset) -> np.ndarray:
    assert dataset.y is not None, "data with classes have labels"
    return dataset.y


def _crossed(found: Sequence[Grouping]) -> Grouping:
    """All groupings crossed, with groups such as `White & female`."""
    return Grouping(
        " & ".join(grouping.name for grouping in found),
        tuple(" & ".join(names) for names in product(*(grouping.groups for grouping in found))),
        _cross(found, [grouping.train for grouping in found]),
        _cross(found, [grouping.held_out for grouping in found]),
        _cross(found, [grouping.held_out_predicted for grouping in found]),
        lambda x: _cross(found, [grouping.predict(x) for grouping in found]),
        ", ".join(dict.fromkeys(grouping.classifier for grouping in found)),
    )


def _cross(found: Sequence[Grouping], each: Sequence[np.ndarray]) -> np.ndarray:
    return np.ravel_multi_index(tuple(each), [len(grouping.groups) for grouping in found])


def predict_all(found: Sequence[Grouping], x: np.ndarray) -> list[np.ndarray]:
    """The predicted group of examples in every one of the `groupings`; each classifier runs once."""
    single = found if len(found) == 1 else found[:-1]
    each = [grouping.predict(x) for grouping in single]
    return each if len(found) == 1 else [*each, _cross(single, each)]


def training_command(source: str, attribute: str, spec: DataSpec) -> str:
    """The command that trains a classifier of an attribute."""
    words = ["simulacra", "train", "classifier", "--data", source.partition("@")[0]]
    words += [] if attribute == CLASS else ["--target", attribute]
    if spec.kind == "image":
        words += ["--image-size", str(spec.shape[1]), "--channels", str(spec.shape[0])]
    return shlex.join([*words, "--out", f"runs/{attribute}"])


def from_run(path: Path, attribute: str, spec: DataSpec, command: str) -> tuple[tuple[str, ...], Classifier]:
    """The classes of a classifier run, and the classifier.

    Raises:
        RunError: there is no run, or it has no classes.
        ConfigError: it takes other examples, or does not know a group.
    """
    run = Run(path)
    trained_on = run.config.spec
    model = run.load()
    if not isinstance(model, Predicts) or not trained_on.classes:
        raise RunError(f"{path}: a {run.config.model} has no classes; train a classifier: {command}")
    if trained_on.shape != spec.shape:
        raise ConfigError(
            f"classifier: {path} takes examples of shape {trained_on.shape}, these have {spec.shape}; train "
            f"one: {command}"
        )
    unknown = [name for name in spec.classes if name not in trained_on.classes]
    if unknown:
        raise ConfigError(
            f"classifier: {path} was not trained on the group '{unknown[0]}' of '{attribute}', only on "
            f"{', '.join(trained_on.classes[:10])}; train one: {command}"
        )

    @torch.no_grad()
    def classify(x: np.ndarray) -> np.ndarray:
        parts = [np.zeros(0, np.int64)]
        with eval_mode(model):
            for batch in in_order(Dataset(trained_on, x), BATCH, model.device):
                p = model.predict(batch.x)
                probs = p.probs if hasattr(p, "probs") and p.probs.shape[-1] > 1 else None
                probs = torch.cat([1 - p.mean, p.mean], dim=1) if probs is None else probs
                parts.append(probs.argmax(dim=1).cpu().numpy())
        return np.concatenate(parts)

    return trained_on.classes, classify


def linear(train: Dataset, features: Callable[[np.ndarray], np.ndarray] | None) -> Classifier:
    """Logistic regression on features, or on `pixels`.

    Raises:
        DataError: all training examples are of one group.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = features or pixels
    x, y = features(train.x[:EXAMPLES]), _labels(train)[:EXAMPLES]
    if len(np.unique(y)) < 2:
        raise DataError("classifier: the training examples are of one group only; give one with --classifier")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    with warnings.catch_warnings():
        # stopping early regularises; its accuracy is measured on held-out examples
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)

    def classify(x: np.ndarray) -> np.ndarray:
        parts = [model.predict(features(x[i : i + EXAMPLES])) for i in range(0, len(x), EXAMPLES)]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    return classify


def pixels(x: np.ndarray) -> np.ndarray:
    """Examples as rows of numbers `(N, F)`; images are averaged to at most `SIDE` pixels a side."""
    if x.ndim == 2:
        return x
    height, width = (min(side, SIDE) for side in x.shape[2:])
    parts = []
    for start in range(0, len(x), BATCH):
        part = torch.from_numpy(np.array(x[start : start + BATCH])).float()
        parts.append(F.adaptive_avg_pool2d(part, (height, width)).flatten(1).numpy())
    return np.concatenate(parts)
