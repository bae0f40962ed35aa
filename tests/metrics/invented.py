"""Weights of the FID's Inception-v3 that are made up, by a formula, so that every part of it matters."""

from math import prod, sqrt

import torch
from torch import Tensor

# name -> outputs, inputs, height and width of the kernel, as in torch-fidelity 0.4.0
STEM = {
    "Conv2d_1a_3x3": (32, 3, 3, 3),
    "Conv2d_2a_3x3": (32, 32, 3, 3),
    "Conv2d_2b_3x3": (64, 32, 3, 3),
    "Conv2d_3b_1x1": (80, 64, 1, 1),
    "Conv2d_4a_3x3": (192, 80, 3, 3),
}


def block_a(n: int, pool: int) -> dict[str, tuple[int, ...]]:
    return {
        "1x1": (64, n, 1, 1),
        "5x5_1": (48, n, 1, 1),
        "5x5_2": (64, 48, 5, 5),
        "3x3dbl_1": (64, n, 1, 1),
        "3x3dbl_2": (96, 64, 3, 3),
        "3x3dbl_3": (96, 96, 3, 3),
        "_pool": (pool, n, 1, 1),
    }


def block_c(c: int) -> dict[str, tuple[int, ...]]:
    return {
        "1x1": (192, 768, 1, 1),
        "7x7_1": (c, 768, 1, 1),
        "7x7_2": (c, c, 1, 7),
        "7x7_3": (192, c, 7, 1),
        "7x7dbl_1": (c, 768, 1, 1),
        "7x7dbl_2": (c, c, 7, 1),
        "7x7dbl_3": (c, c, 1, 7),
        "7x7dbl_4": (c, c, 7, 1),
        "7x7dbl_5": (192, c, 1, 7),
        "_pool": (192, 768, 1, 1),
    }


def block_e(n: int) -> dict[str, tuple[int, ...]]:
    return {
        "1x1": (320, n, 1, 1),
        "3x3_1": (384, n, 1, 1),
        "3x3_2a": (384, 384, 1, 3),
        "3x3_2b": (384, 384, 3, 1),
        "3x3dbl_1": (448, n, 1, 1),
        "3x3dbl_2": (384, 448, 3, 3),
        "3x3dbl_3a": (384, 384, 1, 3),
        "3x3dbl_3b": (384, 384, 3, 1),
        "_pool": (192, n, 1, 1),
    }


BLOCKS = {
    "5b": block_a(192, 32),
    "5c": block_a(256, 64),
    "5d": block_a(288, 64),
    "6a": {
        "3x3": (384, 288, 3, 3),
        "3x3dbl_1": (64, 288, 1, 1),
        "3x3dbl_2": (96, 64, 3, 3),
        "3x3dbl_3": (96, 96, 3, 3),
    },
    "6b": block_c(128),
    "6c": block_c(160),
    "6d": block_c(160),
    "6e": block_c(192),
    "7a": {
        "3x3_1": (192, 768, 1, 1),
        "3x3_2": (320, 192, 3, 3),
        "7x7x3_1": (192, 768, 1, 1),
        "7x7x3_2": (192, 192, 1, 7),
        "7x7x3_3": (192, 192, 7, 1),
        "7x7x3_4": (192, 192, 3, 3),
    },
    "7b": block_e(1280),
    "7c": block_e(2048),
}


def inception_weights() -> dict[str, Tensor]:
    """A whole state dict."""
    kernels = STEM | {f"Mixed_{b}.branch{n}": s for b, block in BLOCKS.items() for n, s in block.items()}
    shapes: dict[str, tuple[int, ...]] = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for name, shape in kernels.items():
        shapes[f"{name}.conv.weight"] = shape
        parts = ("weight", "bias", "running_mean", "running_var")
        shapes |= {f"{name}.bn.{part}": shape[:1] for part in parts}
    weights = {}
    for i, (name, shape) in enumerate(sorted(shapes.items())):
        # the golden ratio and the plastic number: evenly spread on [0, 1), and different for each
        n = torch.arange(prod(shape), dtype=torch.float64)
        u = (n * 0.6180339887498949 + i * 0.7548776662466927) % 1
        if name.endswith(("running_var", "bn.weight")):
            u = 0.5 + u
        elif name.endswith(".weight"):
            u = (u - 0.5) * sqrt(24 / prod(shape[1:]))
        else:
            u = 0.2 * (u - 0.5)
        weights[name] = u.view(shape).float()
    return weights


def pictures() -> Tensor:
    """Two uint8 images `(2, 3, 40, 32)`."""
    i = torch.arange(2 * 3 * 40 * 32, dtype=torch.float64)
    x = (i * 0.6180339887498949 % 1 * 256).to(torch.uint8).view(2, 3, 40, 32)
    x[1] = x[1] // 4 + torch.arange(32, dtype=torch.uint8) * 5
    return x
