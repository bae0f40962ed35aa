"""Settings of the process and features of the processor that decide how fast a CPU trains."""

from __future__ import annotations

import ctypes
import sys
import time

import torch

# parameters of mallopt(3) and their largest values on 64 bits: 2 GiB - 1 and 32 MiB
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
LARGEST_TRIM, LARGEST_MMAP = 2**31 - 1, 2**25
# of the matrices that are multiplied to measure bfloat16, how often, and the speed-up that counts
SIDE, REPEATS, GAIN = 768, 5, 1.3


def keep_freed_memory() -> None:
    """Have glibc keep the memory that this process frees: every step allocates tensors of the same sizes.

    Otherwise glibc returns free memory at the end of the heap to the system, which clears every page that it
    hands out again: a tenth of a training step of CycleGAN at 128 pixels. Peak memory stayed within 3%.
    """
    if sys.platform != "linux":
        return
    # other C libraries do not have it
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(MMAP_THRESHOLD, LARGEST_MMAP)
        mallopt(TRIM_THRESHOLD, LARGEST_TRIM)


def gains_bf16(device: str) -> bool:
    """Whether a device, `cpu`, `cuda` or `mps`, computes clearly faster in bfloat16 than in float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and not emulates_bf16(torch.device(device)) and bf16_speedup() > GAIN


def bf16_speedup() -> float:
    """How many times as fast this processor multiplies matrices in bfloat16 as in float32.

    Measured, in a third of a second, since its instructions do not tell: with AVX512-BF16 alone some
    processors take twice as long, with AMX a fraction.
    """
    x = torch.ones(SIDE, SIDE)
    pair = (x, x.bfloat16())
    seconds: list[list[float]] = [[], []]
    for _ in range(REPEATS):
        for m, times in zip(pair, seconds, strict=True):
            began = time.perf_counter()
            m @ m
            times.append(time.perf_counter() - began)
    return min(seconds[0]) / min(seconds[1])


def emulates_bf16(device: torch.device) -> bool:
    """Whether a device is known to emulate bfloat16 by float32, which takes longer than float32."""
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    has = torch.cpu.get_capabilities()
    return has.get("architecture") == "x86_64" and not (has.get("avx512_bf16") or has.get("amx_bf16"))
