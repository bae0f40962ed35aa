"""Warnings about a generator in training, with the remedies that its model suggests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

from simulacra.core.model import Model
from simulacra.metrics.likelihood import COLLAPSED as NO_INFORMATION
from simulacra.metrics.likelihood import posterior_collapse
from simulacra.metrics.samples import describe_repeats, repeats

# Limit of the diversity; that of the distinct samples is in `metrics.samples`. On a circle of eight modes
# two neighbours have 0.31, one has 0.01; one class of handwritten digits has 0.56 or more: below 0.3 most of
# the data is missing.
COLLAPSED = 0.3
# Steps in which a generator may leave its initial point: encoders and adversaries take 50 to 250. Its
# diversity, or its distinct samples, rise by so much from validation to validation.
START, RISE, MORE = 500, 0.01, 1.0
# Limit of real_accuracy - held_out_accuracy, the share of training examples that the discriminator has
# memorised, and the number of standard errors that it must exceed.
OVERFITTED, ERRORS = 0.25, 3.0
# A warning ends when its number is this far on the right side of the limit, so that it is not repeated.
MARGIN = 0.1


class TrainingWarnings:
    """Gives a warning when its cause appears, and again only after the cause had gone.

    Args:
        model: the model in training.
        n: examples behind each accuracy.
        events: earlier events of the training, for one that resumes.
    """

    def __init__(self, model: Model, n: int, events: Sequence[Mapping[str, Any]] = ()) -> None:
        self.model, self.n = model, n
        self.present: set[str] = set()
        # the last diversity, distinct samples and KL, and whether samples were once beyond a limit
        self.last: dict[str, float] = {"diversity": 0.0, "distinct": 0.0, "kl": 0.0}
        self.varied = False
        for event in events:
            if event["event"] == "warning":
                self.present.add(event["cause"])
            elif event["event"] == "validation":
                self._update(event)

    def check(self, step: int, terms: Mapping[str, float]) -> Iterator[tuple[str, str]]:
        """The kind and text of each warning that the terms of a validation give for the first time."""
        found = {
            "collapse": self._collapse(step, terms),
            "overfitting": self._overfitting(terms),
            "posterior collapse": self._posterior_collapse(step, terms),
        }
        self._update(terms)
        for kind, text in found.items():
            if text and kind not in self.present:
                self.present.add(kind)
                yield kind, text

    def _update(self, terms: Mapping[str, Any]) -> None:
        """End warnings whose cause has gone; store the variety for the next validation."""
        self.last |= {key: terms[key] for key in self.last if key in terms}
        if terms.get("kl", 0.0) >= NO_INFORMATION + MARGIN:
            self.present.discard("posterior collapse")
        if "diversity" in terms:
            self.varied = self.varied or not (_uniform(terms) or _repeating(terms))
            if terms["diversity"] >= COLLAPSED + MARGIN and not _repeating(terms):
                self.present.discard("collapse")
        if "held_out_accuracy" in terms and _memorised(terms) <= OVERFITTED - MARGIN:
            self.present.discard("overfitting")

    def _collapse(self, step: int, terms: Mapping[str, float]) -> str:
        uniform, repeating = _uniform(terms), _repeating(terms)
        if not (uniform or repeating):
            return ""
        # in the beginning samples vary little, and more from step to step
        rising = terms["diversity"] > self.last["diversity"] + RISE if uniform else True
        if repeating:
            rising = rising and terms["distinct"] > self.last["distinct"] + MORE
        if not self.varied and (step < START or rising):
            return ""
        what = (
            f"samples have collapsed: their distances are {terms['diversity']:.2f} times those of held-out"
            " examples"
            if uniform
            else describe_repeats(terms["distinct"], terms["held_out_distinct"])
        )
        return f"{what}. Try {_either(self.model.collapse_remedies())}, in another --out"

    def _overfitting(self, terms: Mapping[str, float]) -> str:
        if "held_out_accuracy" not in terms:
            return ""
        real, held_out = terms["real_accuracy"], terms["held_out_accuracy"]
        error = sqrt((real * (1 - real) + held_out * (1 - held_out)) / self.n)
        if not _memorised(terms) > max(OVERFITTED, ERRORS * error):
            return ""
        return (
            f"the discriminator memorises the training set: it accepts {100 * real:.0f}% of the training"
            f" examples, but {100 * held_out:.0f}% of held-out ones."
            f" Try {_either(self.model.overfitting_remedies())}, in another --out"
        )

    def _posterior_collapse(self, step: int, terms: Mapping[str, float]) -> str:
        # in the beginning encoders say little, and more from step to step
        if "kl" not in terms or step < START or terms["kl"] > self.last["kl"] + RISE:
            return ""
        text = posterior_collapse(terms["kl"])
        return text and f"{text}. Try {_either(self.model.posterior_collapse_remedies())}, in another --out"


def _uniform(terms: Mapping[str, Any]) -> bool:
    small: bool = terms.get("diversity", 1.0) < COLLAPSED
    return small


def _repeating(terms: Mapping[str, Any]) -> bool:
    return "distinct" in terms and repeats(terms["distinct"], terms["held_out_distinct"])


def _memorised(terms: Mapping[str, Any]) -> float:
    difference: float = terms["real_accuracy"] - terms["held_out_accuracy"]
    return difference


def _either(remedies: Sequence[str]) -> str:
    """`a, b or c`."""
    *first, last = remedies
    return f"{', '.join(first)} or {last}" if first else last
