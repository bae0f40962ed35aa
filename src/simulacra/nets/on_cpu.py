"""Where a layer may compute a convolution in another way than torch does."""

import torch
from torch import Tensor


def trained_on_cpu(x: Tensor) -> bool:
    """Whether x goes through a training on a CPU: what is used, exported or compiled is torch's own.

    >>> with torch.no_grad():
    ...     trained_on_cpu(torch.zeros(1))
    False
    """
    return x.device.type == "cpu" and torch.is_grad_enabled() and not torch.compiler.is_compiling()


def in_float32(x: Tensor) -> bool:
    """Whether layers compute with x in float32.

    >>> in_float32(torch.zeros(1)), in_float32(torch.zeros(1, dtype=torch.float64))
    (True, False)
    """
    return x.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)
