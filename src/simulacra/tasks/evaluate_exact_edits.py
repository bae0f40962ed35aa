"""Measure edits where the attributes of any example are known: sentences of a grammar."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from simulacra.core.capabilities import Decodes
from simulacra.data.images.attributes import SIGNS
from simulacra.data.spec import Data
from simulacra.errors import ConfigError, nearest
from simulacra.latent.directions import Direction
from simulacra.metrics import edits
from simulacra.tasks.evaluate_edits import EXAMPLES, STRENGTHS, edited_examples


def evaluate_exact_edits(
    model: Decodes,
    data: Data,
    direction: Direction,
    split: str = "test",
    strengths: Sequence[float] = STRENGTHS,
    examples: int = EXAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """How often an edit flips its attribute, and how often all other attributes stay.

    Args:
        model: a model that decodes.
        data: sentences with `Truth.attributes`; held-out ones are those of a split.
        direction: in one of the model's latent spaces, of one of the attributes.
        split: of the data.
        strengths: of the edit.
        examples: how many are edited, at most.
        seed: random seed.

    Returns:
        `direction`, `data`, `examples`, `seed` and single numbers, by the keys that `simulacra.metrics.edits`
        declares, at the strength above 0 with most edits that flip the attribute alone; and `edit`, the lists
        behind them: of each strength, and of each attribute.

    Raises:
        ConfigError: the direction does not belong to the model, or is for no attribute of the data.
        DataError: there are no held-out examples.
    """
    attributes, names, vocabulary = data.truth.attributes, data.spec.attributes, data.spec.vocabulary
    assert attributes is not None, "data whose attributes are known"
    assert vocabulary is not None, "as every spec of sentences has"
    held = data.split(split)
    edited = edited_examples(model, direction, held, strengths, examples, seed)
    column, has = _target(direction, names)
    # two values, so that they can flip
    two = [
        k
        for k in range(len(names))
        if held.attributes is None or np.isin(held.attributes[:, k], (0, 1)).all()
    ]
    others = [k for k in two if k != column]
    before = attributes(edited.before)
    counts = _word_counts(edited.before, len(vocabulary))
    flips, cosines = [], []
    different = 0.0
    for strength, x in zip(edited.strengths, edited.after(), strict=True):
        flips.append(edits.flips(before, attributes(x), has, strength, others))
        identity = edits.identity(counts, _word_counts(x, len(vocabulary))[None])
        cosines.append(float(identity.cosine.mean()))
        different = identity.different
    numbers: dict[str, Any] = {
        "direction": direction.name,
        "data": f"{data.name}@{split}" if edited.examples else "samples",
        "examples": len(edited.z),
        "seed": seed,
        "extractor": "word counts",
        "edit_different": different,
    }
    positive = [i for i, s in enumerate(edited.strengths) if s > 0 and flips[i].tried]
    if positive:
        best = max(positive, key=lambda i: flips[i].alone)
        numbers |= {
            "edit_strength": edited.strengths[best],
            "edit_success": flips[best].success,
            "edit_rest": flips[best].rest,
            "edit_valid": flips[best].valid,
            "edit_identity": cosines[best],
        }
    if accuracy := direction.details.get("held_out_accuracy"):
        numbers["direction_accuracy"] = accuracy["value"]
    numbers["edit"] = {
        "strengths": list(edited.strengths),
        "flipped": names[column],
        "others": [names[k] for k in others],
        "valid_before": float(np.isfinite(before).all(axis=1).mean()),
        "tried": [one.tried for one in flips],
        "valid": [one.valid for one in flips],
        "success": [one.success for one in flips],
        "rest": [one.rest for one in flips],
        "unchanged": [one.unchanged for one in flips],
        "identity": cosines,
    }
    return numbers


def _target(direction: Direction, names: Sequence[str]) -> tuple[int, Any]:
    """The column of the attribute that a direction is for, and which of attributes `(N, A)` have it.

    Raises:
        ConfigError: it is for none of the attributes.
    """
    name = str(direction.details.get("attribute") or direction.name)
    if name in names:
        k = names.index(name)
        return k, lambda table: table[:, k] > 0.5
    condition = re.fullmatch(r"(.+?)\s*(>=|<=|>|<)\s*(-?[\d.]+)", name)
    if condition is None or condition[1] not in names:
        raise ConfigError(f"direction '{direction.name}' is for '{name}', {nearest(name, names)}")
    k, holds, number = names.index(condition[1]), SIGNS[condition[2]][0], float(condition[3])
    return k, lambda table: holds(table[:, k], number)


def _word_counts(x: np.ndarray, tokens: int) -> np.ndarray:
    """How often each token is in each sentence, float32 `(N, V)`, without the padding and the end."""
    counts = np.zeros((len(x), tokens), np.float32)
    np.add.at(counts, (np.arange(len(x))[:, None], x), 1)
    counts[:, :2] = 0
    return counts
