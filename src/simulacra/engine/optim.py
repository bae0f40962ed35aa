"""Optimizers and the schedule of the learning rate."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from simulacra.config import Training


def learning_rate(training: Training, step: int, steps: int) -> float:
    """The rate of one step: linear warm-up, then constant or a cosine (Loshchilov and Hutter 2017, eq. 5).

    A function of the step alone, so a resumed training needs no scheduler's state.

    >>> [learning_rate(Training(lr=1.0, warmup=2, schedule="cosine"), step, 6) for step in (0, 1, 2, 4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if step < training.warmup:
        return training.lr * (step + 1) / training.warmup
    if training.schedule == "constant":
        return training.lr
    t = (step - training.warmup) / max(1, steps - training.warmup)
    return training.lr * 0.5 * (1 + cos(pi * t))


def optimizer(training: Training, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """One fused Adam(W) for one player."""
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(
        list(parameters),
        lr=training.lr,
        betas=training.betas,
        weight_decay=training.weight_decay,
        fused=True,
    )


def average(model: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of the weights; buffers are copied."""
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))
