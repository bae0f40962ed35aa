"""The charts of how often things are drawn, beside how often the data have them: modes, classes."""

from __future__ import annotations

import numpy as np
import torch

from simulacra.core.capabilities import Samples
from simulacra.core.noise import Noise
from simulacra.metrics.samples import NEAR, mode_coverage
from simulacra.report import figures
from simulacra.report.cards import Card
from simulacra.report.html import chart
from simulacra.report.material import Material, untrained

# enough that shares are known to 0.005
DRAWN = 10_000


def modes(m: Material) -> Card | None:
    """Of simulated data whose modes are known."""
    if not isinstance(m.model, Samples) or untrained(m.model) or m.data is None or m.held is None:
        return None
    centres, sigma = m.data.truth.modes, m.data.truth.sigma
    if centres is None or sigma is None:
        return None
    seed, data = m.config.training.seed, m.data.split(m.split).x
    with torch.no_grad():
        x = np.asarray(m.model.sample(DRAWN, Noise(seed)))
    at_modes = []
    for of in (data, x):
        found = mode_coverage(of, centres, sigma)
        at_modes.append(np.append(found.counts / len(of), 1 - found.near))
    names = [*(str(k + 1) for k in range(len(centres))), "none"]
    figure = figures.shares(names, at_modes[0], at_modes[1], "mode")
    caption = (
        f"Shares of {len(x):,} samples, and of the {len(data):,} examples of the {m.split} split, within"
        f" {NEAR:g} standard deviations of each mode; the last bars are what lies at none. Seed {seed}."
    )
    return Card("modes", "Modes", chart(figure, "shares of samples and data at every mode"), caption)


def classes(m: Material) -> Card | None:
    """As the features of the last evaluation see the classes."""
    names = m.config.spec.classes
    judged = [event for event in m.run.events("evaluation") if "class_shares" in event]
    if not judged or len(judged[-1]["class_shares"]) != len(names):
        return None
    event = judged[-1]
    data, samples = (np.array(event[key]) for key in ("class_shares_data", "class_shares"))
    figure = figures.shares(names, data, samples, "class")
    caption = (
        f"Shares of {event['samples']:,} samples, and of {event['real']:,} examples of {event['data']}, that"
        f" the {event['extractor']} reads as each class. Seed {event['seed']}."
    )
    return Card("classes", "Classes", chart(figure, "shares of the classes"), caption)
