"""Held-out examples of several groups, edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulacra.audit.shared.rates import Mean, Rate
from simulacra.core.batch import at_most
from simulacra.core.capabilities import Reconstructs
from simulacra.data.images.attributes import with_classes
from simulacra.data.spec import Data, Dataset
from simulacra.errors import ConfigError
from simulacra.latent.directions import Direction
from simulacra.metrics.features import Extractor
from simulacra.tasks.attribute_predictor import AttributePredictor, attribute_values, known
from simulacra.tasks.evaluate_edits import MeasuredEdits, Target, edited_examples, measure, target_of


@dataclass(frozen=True)
class EditedGroups:
    """Edits of N held-out examples that belong to groups.

    Attributes:
        measured: at two strengths, the first of which removes the attribute and the second adds it.
        target: the attribute.
        column: what the groups are groups of.
        names: of the G groups.
        group: of each example, `(N,)`.
        right: whether the predictor says correctly of each real example if it has the attribute, `(N,)`.
    """

    measured: MeasuredEdits
    target: Target
    column: str
    names: Sequence[str]
    group: np.ndarray
    right: np.ndarray

    def rates(self, which: np.ndarray, of: np.ndarray) -> list[Rate]:
        """Of the examples `of`, bool `(N,)`, in each group, the share of which `which`, `(N,)`, is true."""
        return [
            Rate(name, int((which & of & (self.group == g)).sum()), int((of & (self.group == g)).sum()))
            for g, name in enumerate(self.names)
        ]

    def means(self, values: np.ndarray) -> list[Mean]:
        """The mean of values `(N,)` in each group."""
        found = []
        for g, name in enumerate(self.names):
            v = values[self.group == g]
            found.append(Mean(name, float(v.sum()), float(np.square(v).sum()), len(v)))
        return found


def edited_groups(
    model: Reconstructs,
    data: Data,
    direction: Direction,
    group: str,
    predictor: AttributePredictor,
    extractor: Extractor,
    strength: float,
    examples: int,
    seed: int,
) -> EditedGroups:
    """Edit the held-out examples of data, whose groups the data say.

    Args:
        model: encodes and decodes.
        data: its validation and test splits are held out.
        direction: of the edit.
        group: as `with_classes` takes it.
        predictor: of attributes.
        extractor: of the features whose cosine is the identity.
        strength: of the edit, above 0.
        examples: how many are edited, at most.
        seed: random seed.

    Raises:
        ConfigError: the attribute of the direction is not known, or is what the groups are groups of.
        DataError: the data lack the groups, or held-out examples.
    """
    held, grouped = _held_out(data), _held_out(with_classes(data, group))
    what = known(predictor, held)
    target = target_of(direction, what, held)
    if target is None:
        raise ConfigError(
            f"direction '{direction.name}' is for no attribute that {predictor.run} predicts, so its success"
            f" cannot be measured; its attributes: {', '.join(what.names)}"
        )
    if group in (target.name, what.names[target.column]):
        raise ConfigError(f"group: '{group}' is what the direction edits; choose another attribute")
    edited = edited_examples(model, direction, held, (-strength, strength), examples, seed)
    chosen, of = edited.examples, at_most(examples, grouped, seed)
    assert chosen is not None, "a model that reconstructs encodes"
    assert of.y is not None, "data with classes have labels"
    truth = attribute_values(chosen, what.names[target.column])
    assert truth is not None, "known attributes are those of the data"
    said = what.predict(chosen.x)[:, target.column]
    right = target.held_by(said) == target.held_by(truth)
    measured = measure(edited, what, extractor)
    return EditedGroups(measured, target, group, of.spec.classes, of.y, right)


def _held_out(data: Data) -> Dataset:
    """The validation and the test split together."""
    a, b = data.validation, data.test

    def both(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
        return None if first is None or second is None else np.concatenate([first, second])

    x = np.concatenate([a.x, b.x])
    return Dataset(b.spec, x, both(a.y, b.y), both(a.attributes, b.attributes))
