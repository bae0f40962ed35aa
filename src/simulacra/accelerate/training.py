"""When a kernel may replace torch's."""

import torch
from torch import Tensor


def trains_in_float32(x: Tensor) -> bool:
    """Whether x is computed with on a CPU, with gradients and in float32.

    Inference, exported and compiled nets use torch's convolutions.

    >>> trains_in_float32(torch.zeros(1)), trains_in_float32(torch.zeros(1, dtype=torch.float64))
    (True, False)
    >>> with torch.no_grad():
    ...     trains_in_float32(torch.zeros(1))
    False
    """
    training = torch.is_grad_enabled() and not torch.compiler.is_compiling()
    float32 = x.dtype == torch.float32 and not torch.is_autocast_enabled(x.device.type)
    return x.device.type == "cpu" and training and float32
