"""For tests and doctests alike: nothing reaches the user's own data, cache or runs."""

import os
from pathlib import Path

import pytest

# One thread for a test and for the processes it starts, because workers of pytest-xdist share the cores;
# read when torch is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--precision auto` is 32, whatever the processor gains by bfloat16."""
    monkeypatch.setattr("simulacra.accelerate.processor.bf16_speedup", lambda: 1.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of this test alone."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("SIMULACRA_DATA", raising=False)
    return cache
