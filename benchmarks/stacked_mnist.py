"""How many of 1,000 modes a GAN finds: stacked MNIST (Srivastava et al. 2017, arXiv:1705.07761).

    SIMULACRA_DATA=... simulacra train classifier --data mnist --image-size 32 --out runs/classifier
    SIMULACRA_DATA=... python benchmarks/stacked_mnist.py runs/stacked --classifier runs/classifier \\
        --minutes 45 --objective relativistic --mixing 0

An example is three digits of the training set, one in each colour: 1,000 combinations. Options that are not
listed are those of `simulacra train stylegan` (of another model: `--model`). The classifier reads the three
digits of 26,000 samples; a combination that occurs is a mode, and KL is that of the samples' combinations
from those of as many training examples, which are read in the same way and shown beside.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

import simulacra as sim
from simulacra.cli import train
from simulacra.core.batch import tensor
from simulacra.core.capabilities import Predicts, Samples
from simulacra.core.inference import draw, eval_mode
from simulacra.run import Run

SIZE, TRAINED, SAMPLES, CHUNK = 32, 60_000, 26_000, 1_000


def stacked(n: int, seed: int) -> np.ndarray:
    """n images of three random digits `(n, 32, 32, 3)`, uint8."""
    digits = sim.load_data("mnist", image_size=SIZE).train.x[:, 0]
    chosen = np.random.default_rng(seed).integers(len(digits), size=(n, 3))
    return np.stack([digits[chosen[:, k]] for k in range(3)], axis=-1)


@torch.no_grad()
def shares(classifier: Predicts, x: Tensor) -> np.ndarray:
    """Share of each of the 1,000 combinations among images `(N, 3, H, W)` in [0, 1]."""
    with eval_mode(classifier):
        digits = [
            torch.cat(
                [
                    cast(Categorical, classifier.predict(part)).probs.argmax(dim=1)
                    for part in x[:, k, None].split(CHUNK)
                ]
            )
            for k in range(3)
        ]
    combination = digits[0] * 100 + digits[1] * 10 + digits[2]
    return np.bincount(combination.cpu().numpy(), minlength=1000) / len(x)


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    """KL(p || q) in nats; combinations that q lacks count as half an example.

    >>> divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == np.log(2)
    True
    """
    q = np.maximum(q, 0.5 / SAMPLES)
    there = p > 0
    return float((p[there] * np.log(p[there] / q[there])).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="run folder; the data are written beside it")
    parser.add_argument("--classifier", type=Path, required=True, help="a run trained on mnist at 32 px")
    parser.add_argument("--model", default="stylegan")
    arguments, options = parser.parse_known_args()
    file = arguments.out.parent / "stacked-mnist.npz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, images=stacked(TRAINED, seed=0))
    words = [arguments.model, "--data", f"npz:{file}", "--out", str(arguments.out), *options]
    if code := train.main(words):
        sys.exit(code)
    classifier = Run(arguments.classifier).load_with(Predicts)
    model = Run(arguments.out).load_with(Samples)
    data = tensor(stacked(SAMPLES, seed=1).transpose(0, 3, 1, 2))
    real = shares(classifier, data)
    other = shares(classifier, tensor(stacked(SAMPLES, seed=2).transpose(0, 3, 1, 2)))
    found = shares(classifier, draw(model, SAMPLES, seed=0))
    print("| of | modes | KL |\n|---|---|---|")
    for name, p in (("training images", other), ("samples", found)):
        print(f"| {name} | {np.count_nonzero(p)} | {divergence(p, real):.3f} |")


if __name__ == "__main__":
    main()
