"""The model of another run as a constant part of a model: its weights are buffers, which nothing trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

from simulacra.core.model import Model
from simulacra.errors import ConfigError, RunError
from simulacra.models.registry import build

if TYPE_CHECKING:
    from simulacra.run import RunConfig

N = TypeVar("N", bound=nn.Module)


def model_of_run(folder: str, setting: str) -> tuple[Model, RunConfig]:
    """The untrained model of a run, and the run's config; `copy_weights` gives it those of the run.

    Args:
        folder: the run.
        setting: that names it, for the message.

    Raises:
        ConfigError: there is no such run.
    """
    # imported here: a run knows the models
    from simulacra.run import Run

    try:
        config = Run(folder).config
    except RunError as error:
        raise ConfigError(f"{setting}: {error}") from error
    return build(config.model, config.spec, config.config), config


def trained_model(folder: str, setting: str) -> Model:
    """The model of a run with its weights; arguments as `model_of_run`.

    Raises:
        ConfigError: there is no such run, or it has no weights.
    """
    from simulacra.run import Run

    try:
        return Run(folder).load()
    except RunError as error:
        raise ConfigError(f"{setting}: {error}") from error


@torch.no_grad()
def copy_weights(model: nn.Module, folder: str) -> None:
    """Give a model the weights of the same names of a run's model.

    Raises:
        RunError: the run has no weights.
    """
    from simulacra.run import Run

    weights = Run(folder).load().state_dict()
    for name, buffer in model.state_dict().items():
        buffer.copy_(weights[name])


def as_buffers(net: N) -> N:
    """A net whose parameters are buffers: part of its state, and of nothing that is trained.

    >>> net = as_buffers(nn.Linear(2, 1))
    >>> list(net.parameters()), sorted(net.state_dict())
    ([], ['bias', 'weight'])
    """
    for module in net.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, parameter.detach())
    return net
