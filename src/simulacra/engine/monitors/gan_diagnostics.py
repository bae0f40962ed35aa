"""Diagnostics of a generator in training: how varied its samples are, how well its discriminator does."""

from __future__ import annotations

from simulacra.core.batch import random_subset, tensor
from simulacra.core.capabilities import Discriminates, Samples
from simulacra.core.inference import discriminate_all, draw, matched_samples
from simulacra.core.model import Model
from simulacra.data.spec import Data
from simulacra.metrics.samples import variety

# examples of each kind: shares of so many have a standard error of 0.02
COMPARED = 500


def gan_diagnostics(average: Model, model: Model, data: Data, seed: int) -> dict[str, float]:
    """Numbers about samples and discriminator, from the same examples and latents every time.

    Args:
        average: the model whose samples are published: the moving average, where there is one.
        model: the model in training, whose discriminator plays.
        data: its training and validation examples are compared with samples.
        seed: random seed of the examples and latents.

    Returns:
        Nothing for a model that does not sample. `diversity`: the mean distance of samples of `average` over
        that of held-out examples. `distinct` and `held_out_distinct`: how many of each seem to be different
        (`metrics.samples.Variety`). For a model with a discriminator also `real_accuracy`, `fake_accuracy`
        and `held_out_accuracy`: the shares of training examples, samples and held-out examples that it
        classifies correctly. Outputs of relativistic and Wasserstein discriminators have no zero: the
        threshold is halfway between the mean outputs on training examples and on samples.
    """
    n = diagnosed(data)
    if not isinstance(average, Samples) or n < 2:
        return {}
    held_out = random_subset(data.validation, n, seed)
    real = tensor(held_out.x).numpy()
    found = variety(draw(average, n, seed).cpu().numpy(), real)
    numbers = {
        "diversity": found.diversity,
        "distinct": found.distinct,
        "held_out_distinct": found.distinct_data,
    }
    if isinstance(model, Discriminates) and isinstance(model, Samples):
        train = random_subset(data.train, n, seed)
        d_train, d_held_out = (discriminate_all(model, part.x, part.y) for part in (train, held_out))
        d_fake = discriminate_all(model, matched_samples(model, train, seed), train.y)
        threshold = (d_train.mean() + d_fake.mean()) / 2
        numbers["real_accuracy"] = (d_train > threshold).double().mean().item()
        numbers["fake_accuracy"] = (d_fake <= threshold).double().mean().item()
        numbers["held_out_accuracy"] = (d_held_out > threshold).double().mean().item()
    return numbers


def diagnosed(data: Data) -> int:
    """Examples of each kind that `gan_diagnostics` compares."""
    return min(COMPARED, len(data.train), len(data.validation))
