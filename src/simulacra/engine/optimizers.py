"""Optimizers and the schedule of the learning rate."""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from simulacra.config import Training

Tensors = tuple[Tensor, ...] | list[Tensor]


def learning_rate(training: Training, step: int, steps: int) -> float:
    """The rate of one step: linear warm-up, then constant, a cosine (Loshchilov and Hutter 2017, eq. 5), or
    constant for half of the training and then linear to 0 (Zhu et al. 2017, section 4).

    A function of the step alone, so a resumed training needs no scheduler's state.

    >>> [learning_rate(Training(lr=1.0, warmup=2, schedule="cosine"), step, 6) for step in (0, 1, 2, 4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if step < training.warmup:
        return training.lr * (step + 1) / training.warmup
    if training.schedule == "constant":
        return training.lr
    t = (step - training.warmup) / max(1, steps - training.warmup)
    if training.schedule == "linear":
        return training.lr * min(1.0, 2 * (1 - t))
    return training.lr * 0.5 * (1 + cos(pi * t))


def optimizer(training: Training, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """One Adam, AdamW or Adamax (Kingma and Ba 2015, algorithms 1 and 2) for one player."""
    settings: dict[str, Any] = {
        "lr": training.lr, "betas": training.betas, "weight_decay": training.weight_decay,
    }  # fmt: skip
    if training.optimizer == "adamax":
        return torch.optim.Adamax(list(parameters), **settings, foreach=True)
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    return kind(list(parameters), **settings, fused=True)


def moment_names(training: Training) -> tuple[str, str]:
    """What the optimizer calls its averages of the gradient and of its size, for each parameter.

    >>> moment_names(Training(optimizer="adamax"))
    ('exp_avg', 'exp_inf')
    """
    return "exp_avg", "exp_inf" if training.optimizer == "adamax" else "exp_avg_sq"


def average(model: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of the weights; buffers are copied.

    It forgets the first weights early: after n steps the decay is min(decay, (1 + n) / (10 + n)).
    """

    @torch.no_grad()
    def update(averages: Tensors, weights: Tensors, n: Tensor | int) -> None:
        share = 1 - torch.as_tensor((1 + n) / (10 + n)).clamp(max=decay)
        moves = torch._foreach_sub(weights, averages)
        torch._foreach_mul_(moves, share)
        torch._foreach_add_(averages, moves)

    return AveragedModel(model, multi_avg_fn=update)
