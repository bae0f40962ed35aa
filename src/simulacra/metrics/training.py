"""Names of the numbers that are logged while a model trains, where no measurement computes them too."""

from __future__ import annotations

from simulacra.metrics.registry import Metric, describe
from simulacra.metrics.samples import DISTINCT

OUTPUTS = Metric("outputs", "output of the discriminator",
    meaning="averaged over training examples and over samples; its meaning depends on the objective",
    linear=True)  # fmt: skip
GRADIENTS = Metric("gradients", "norm of the gradient",
    meaning="of each player; steep rises precede divergence")  # fmt: skip
ACCURACIES = Metric("accuracies", "accuracy of the discriminator", "%",
    "share of each set that it classifies correctly; an accuracy on held-out examples far below that on"
    " training examples means that it memorises these", limits=(0.0, 105.0))  # fmt: skip
describe(
    Metric("loss", "loss",
        meaning="what training minimises or, for translations, the mean distance from the targets",
        better="lower"),
    Metric("gradient", "norm of the gradient", meaning="before it is clipped"),
    GRADIENTS,
    Metric("augment", "augmentation",
        meaning="strength of the discriminator's augmentation, which adapts to its overfitting"),
    Metric("real", "output on training examples", chart=OUTPUTS, line="training"),
    Metric("fake", "output on samples", chart=OUTPUTS, line="samples"),
    Metric("diversity", "diversity",
        meaning="mean distance of two samples over that of two held-out examples: 1 where both vary equally,"
        " 0 after a collapse", reference=1.0),
    Metric("held_out_distinct", "distinct held-out examples", chart=DISTINCT, line="held-out"),
    Metric("real_accuracy", "accuracy on training examples", "%",
        "share that the discriminator classifies as real", chart=ACCURACIES, line="training"),
    Metric("held_out_accuracy", "accuracy on held-out examples", "%",
        "share that the discriminator classifies as real; far fewer than of the training examples indicate"
        " that it memorises these", chart=ACCURACIES, line="held-out"),
    Metric("fake_accuracy", "accuracy on samples", "%", "share that the discriminator classifies as samples",
        chart=ACCURACIES, line="samples"),
)  # fmt: skip
