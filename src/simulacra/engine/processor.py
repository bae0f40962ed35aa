"""What a processor needs to compute as fast as it can."""

from __future__ import annotations

import ctypes
import sys

import torch

# parameters of mallopt(3), and their largest values: 2 GiB - 1, and 32 MiB, of 64 bits
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST_TRIM, LARGEST_MMAP = 2**31 - 1, 2**25


def keep_freed_memory() -> None:
    """Have glibc keep what this process frees: tensors of the next step are as large as those of the last.

    Otherwise it hands back to the system what is free at the end of the heap, and gets it again page by page,
    each cleared: of a step of CycleGAN at 128 pixels that took a tenth. Peaks stayed within 3%.
    """
    if sys.platform != "linux":
        return
    # other C libraries have none
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP)
        mallopt(TRIM_THRESHOLD, LARGEST_TRIM)


def emulates_bf16(device: torch.device) -> bool:
    """Whether a device is known to compute bfloat16 by way of float32, which takes longer than float32."""
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    has = torch.cpu.get_capabilities()
    return has.get("architecture") == "x86_64" and not (has.get("avx512_bf16") or has.get("amx_bf16"))
