"""StyleGAN2's operations written plainly, an example and a channel at a time, in float64."""

from __future__ import annotations

import numpy as np
import torch
from scipy import signal
from torch import Tensor

TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


def upfirdn(x: Tensor, up: int, down: int, before: int, after: int, gain: float = 1.0) -> Tensor:
    """Zeros between pixels, padding, the filter with a gain along both sides, every down-th pixel."""
    maps = x.detach().double().numpy()
    spread = np.zeros((*maps.shape[:2], maps.shape[2] * up, maps.shape[3] * up))
    spread[:, :, ::up, ::up] = maps
    padded = np.pad(spread, ((0, 0), (0, 0), (before, after), (before, after)))
    kernel = gain**2 * np.outer(TAPS, TAPS)
    out = [[signal.convolve2d(one, kernel, mode="valid") for one in example] for example in padded]
    return torch.from_numpy(np.array(out)[:, :, ::down, ::down].copy())


def correlate(x: np.ndarray, weight: np.ndarray, padding: int) -> np.ndarray:
    """`(C, H, W)` with `(C', C, k, k)`: what neural networks call a convolution."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    return np.array(
        [
            sum(signal.correlate2d(c, k, mode="valid") for c, k in zip(x, kernels, strict=True))
            for kernels in weight
        ]
    )


def modulated(x: Tensor, weight: Tensor, s: Tensor, demodulate: bool, doubling: bool) -> Tensor:
    """Each example with weights of its own (Karras et al. 2020, eq. 1 and 3); weights already scaled."""
    out, kernel = [], weight.shape[2]
    for maps, style in zip(x.detach().double().numpy(), s.detach().double().numpy(), strict=True):
        w = weight.detach().double().numpy() * style[:, None, None]
        if demodulate:
            w /= np.sqrt((w**2).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)
        if doubling:
            # a transposed convolution of stride 2: every pixel adds a kernel to the result
            size = 2 * maps.shape[1] + 1
            y = np.zeros((len(w), size, size))
            for i in range(maps.shape[1]):
                for j in range(maps.shape[2]):
                    y[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.einsum("ockl,c->okl", w, maps[:, i, j])
            out.append(upfirdn(torch.from_numpy(y)[None], 1, 1, 1, 1, gain=2.0)[0].numpy())
        else:
            out.append(correlate(maps, w, kernel // 2))
    return torch.from_numpy(np.array(out))


def lrelu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x) * 2**0.5
