"""Signs that the training of a generator goes wrong, in words: what was seen, and what to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

from simulacra.core.capabilities import Discriminates, Encodes
from simulacra.core.model import Model

# Of diversity. On a circle of eight modes two neighbours give 0.31, one gives 0.01; of handwritten digits
# one class gives 0.56 or more: below 0.3 most of the data is missing.
COLLAPSED = 0.3
# Steps in which a generator may find its way out of one point: encoders and adversaries take 50 to 250.
# They rise by so much from look to look.
START, RISE = 500, 0.01
# Of real_accuracy - held_out_accuracy, the share of examples that are known by heart; and, as shares of few
# examples differ by chance, of its standard errors.
OVERFITTED, ERRORS = 0.25, 3.0
# A sign is over when it has gone this much further back, so that numbers about a limit say it once.
BACK = 0.1


class Watch:
    """Says a sign when it appears, and again only after it was over.

    Args:
        model: in training.
        n: examples that each accuracy is of.
        events: what was told before, of a training that goes on.
    """

    def __init__(self, model: Model, n: int, events: Sequence[Mapping[str, Any]] = ()) -> None:
        self.model, self.n = model, n
        self.present: set[str] = set()
        self.last, self.most = 0.0, 0.0
        for event in events:
            if event["event"] == "warning":
                self.present.add(event["sign"])
            elif event["event"] == "validation":
                self._keep(event)

    def see(self, step: int, terms: Mapping[str, float]) -> Iterator[tuple[str, str]]:
        """The signs that appear with the terms of a look at validation data: name and text."""
        signs = {"collapse": self._collapse(step, terms), "overfitting": self._overfitting(terms)}
        self._keep(terms)
        for sign, text in signs.items():
            if text and sign not in self.present:
                self.present.add(sign)
                yield sign, text

    def _keep(self, terms: Mapping[str, Any]) -> None:
        """Forget signs that are over; remember the diversity, to compare the next with."""
        if "diversity" in terms:
            self.last, self.most = terms["diversity"], max(self.most, terms["diversity"])
            if self.last >= COLLAPSED + BACK:
                self.present.discard("collapse")
        if "held_out_accuracy" in terms and _by_heart(terms) <= OVERFITTED - BACK:
            self.present.discard("overfitting")

    def _collapse(self, step: int, terms: Mapping[str, float]) -> str:
        now = terms.get("diversity", 1.0)
        # one that starts has little diversity, but more and more
        starts = self.most < COLLAPSED and (step < START or now > self.last + RISE)
        if not now < COLLAPSED or starts:
            return ""
        return (
            f"samples have collapsed, they lie {now:.2f} times as far apart as held-out examples."
            f" Try {self._against_collapse()}, in another --out"
        )

    def _against_collapse(self) -> str:
        config = self.model.config
        if isinstance(self.model, Discriminates):
            ways = ["a larger --r1"] if hasattr(config, "r1") else []
            ways += [] if getattr(config, "batch_deviation", True) else ["--batch-deviation"]
            ways += ["another --objective"] if hasattr(config, "objective") else []
            return _either(*ways, "a smaller --lr")
        if isinstance(self.model, Encodes):
            return "a smaller --lr or more --steps"
        return "a smaller --lr, or a model with an adversary or an encoder"

    def _overfitting(self, terms: Mapping[str, float]) -> str:
        if "held_out_accuracy" not in terms:
            return ""
        real, held_out = terms["real_accuracy"], terms["held_out_accuracy"]
        error = sqrt((real * (1 - real) + held_out * (1 - held_out)) / self.n)
        if not _by_heart(terms) > max(OVERFITTED, ERRORS * error):
            return ""
        # it changes images
        augments = self.model.spec.kind == "image" and getattr(self.model.config, "augment", "ada") != "ada"
        return (
            f"the discriminator overfits, it takes {100 * real:.0f}% of its training examples for real,"
            f" but {100 * held_out:.0f}% of held-out ones."
            f" Try {_either(*(['--augment ada'] if augments else []), 'more data')}, in another --out"
        )


def _by_heart(terms: Mapping[str, Any]) -> float:
    return terms["real_accuracy"] - terms["held_out_accuracy"]


def _either(*ways: str) -> str:
    """`a, b or c`."""
    *first, last = ways
    return f"{', '.join(first)} or {last}" if first else last
