"""Training in bfloat16 on a processor that emulates it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tests.engine.conftest import Trains

X86: dict[str, Any] = {"architecture": "x86_64", "avx512_bf16": False, "amx_bf16": False}


def test_a_training_in_bf16_says_that_it_is_emulated(
    trains: Trains, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: X86, raising=False)
    said = "this processor emulates bfloat16: --precision 32 is faster here\n"
    trains("bf16", steps=5, precision="bf16")
    assert said in capsys.readouterr().err
    trains("fp32", steps=5)
    assert said not in capsys.readouterr().err
