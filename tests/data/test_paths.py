"""Where a path is looked for."""

from pathlib import Path

import numpy as np
import pytest

from simulacra import data
from simulacra.data.paths import cache_folder, find


def test_a_path_is_looked_for_below_simulacra_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    here.mkdir()
    np.savez(there / "x.npz", x=np.random.default_rng(0).normal(size=(50, 3)))
    monkeypatch.chdir(here)
    assert find("x.npz") == Path("x.npz")
    monkeypatch.setenv("SIMULACRA_DATA", str(there))
    assert find("x.npz") == there / "x.npz"
    assert data.load("npz:x.npz").spec.shape == (3,)
    # what lies here comes first
    (here / "x.npz").write_bytes(b"")
    assert find("x.npz") == Path("x.npz")
    assert find(str(there / "x.npz")) == there / "x.npz"


def test_a_read_only_data_folder_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    monkeypatch.setenv("SIMULACRA_DATA", str(locked))
    assert not cache_folder().is_relative_to(locked)
    assert list(locked.iterdir()) == []
