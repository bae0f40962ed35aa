"""Memory kept between steps, and processors that emulate bfloat16."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from simulacra.accelerate.processor import emulates_bf16

# pages that a fresh process asks the system for while it takes and frees four times 16 MB, twenty times over
PAGES = """
import resource, torch
from simulacra.accelerate.processor import keep_freed_memory
keep_freed_memory()
asked = [0] * 30
for i in range(30):
    [torch.ones(2**22) for _ in range(4)]
    asked[i] = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(asked[29] - asked[9])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_memory_that_is_freed_is_kept() -> None:
    done = subprocess.run([sys.executable, "-c", PAGES], capture_output=True, text=True, check=True)
    # without, 160,000
    assert int(done.stdout) < 200


X86: dict[str, Any] = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}


@pytest.mark.parametrize(
    ("device", "has", "emulated"),
    [
        ("cpu", X86, True),
        ("cpu", X86 | {"avx512_bf16": True}, False),
        ("cpu", X86 | {"amx_bf16": True}, False),
        # nothing is known of these
        ("cpu", {"architecture": "aarch64"}, False),
        ("cuda", X86, False),
    ],
)
def test_bf16_is_emulated_where_the_processor_lacks_it(
    device: str, has: dict[str, Any], emulated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert emulates_bf16(torch.device(device)) == emulated
