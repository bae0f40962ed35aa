"""The picture says what each image is, is read as, and how sure that is."""

from __future__ import annotations

import numpy as np
import torch

from simulacra.attacks.gradient import AdversarialExamples
from simulacra.attacks.sheet import FOOLED, sheet


def test_words_below_the_images() -> None:
    x = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    after = torch.tensor([[0.25, 0.75], [0.0, 1.0], [0.9, 0.1]])
    found = AdversarialExamples(x, (x + 0.1).clamp(0, 1), torch.tensor([True, False, False]), after)
    before = torch.tensor([[0.9995, 0.0005], [0.4, 0.6], [0.8, 0.2]])
    figure = sheet(found, before, ("cat", "an enormous double-decker bus"), "title", np.array([0, 0, 0]))
    labels = [axes.xaxis.label for axes in figure.axes]
    text = [label.get_text().split("\n") for label in labels]
    assert text[:3] == [["cat", ">99.9%"], ["an enormous d…", "60.0%"], ["cat", "80.0%"]]
    assert text[6:] == [["an enormous d…", "75.0%"], ["an enormous d…", ">99.9%"], ["cat", "90.0%"]]
    assert [label.get_color() == FOOLED for label in labels[6:]] == [True, False, False]
    assert text[3][0] == "up to ±0.1"


def test_noise_and_nothing_changed() -> None:
    x, p = torch.zeros(9, 1, 4, 4), torch.tensor([[0.3, 0.7]]).expand(9, 2)
    figure = sheet(AdversarialExamples(x, x, torch.ones(9, dtype=torch.bool), p), p, ("a", "b"), "title")
    assert len(figure.axes) == 21
    assert figure.axes[0].get_ylabel() == "noise"
