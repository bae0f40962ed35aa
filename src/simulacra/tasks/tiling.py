"""Instance norm of the parts of an image, by the statistics of all of it (Chen et al. 2022)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn


@contextmanager
def normalised_alike(net: nn.Module, apply: Callable[[], object]) -> Iterator[None]:
    """Every instance norm of the net keeps the statistics it meets while `apply` is called.

    Args:
        net: in which every instance norm is called once an image.
        apply: applies the net to one image, a thumbnail of what follows.

    >>> import torch
    >>> net, x = nn.InstanceNorm2d(1), torch.tensor([0.0, 2.0]).view(1, 1, 1, 2)
    >>> with normalised_alike(net, lambda: net(x)):
    ...     net(x + 2).flatten().round().tolist()
    [1.0, 3.0]
    """
    norms = [module for module in net.modules() if isinstance(module, nn.InstanceNorm2d)]
    met: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def meet(norm: nn.Module, inputs: tuple[Any, ...]) -> None:
        (x,) = inputs
        met[norm] = (x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), correction=0))

    def again(norm: nn.InstanceNorm2d, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        # norms that `apply` did not reach stay unchanged
        return F.batch_norm(inputs[0], *met[norm], eps=norm.eps) if norm in met else output

    hooks = [norm.register_forward_pre_hook(meet) for norm in norms]
    try:
        apply()
        for hook in hooks:
            hook.remove()
        hooks = [norm.register_forward_hook(again) for norm in norms]
        yield
    finally:
        for hook in hooks:
            hook.remove()
