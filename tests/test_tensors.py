"""Files of tensors: whole, readable by safetensors, and never damaged unnoticed."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from simulacra import tensors
from simulacra.errors import RunError

STATE = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3), "mask": torch.tensor([True, False])}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.safetensors"
    tensors.write(path, STATE, {"note": '"checksum":"'})
    return path


def test_what_is_written_is_read(file: Path) -> None:
    found, notes = tensors.read(file)
    for name, tensor in STATE.items():
        assert torch.equal(found[name], tensor)
        assert found[name].dtype == tensor.dtype
    assert notes["note"] == '"checksum":"'
    assert load_file(file).keys() == STATE.keys()


def test_every_changed_byte_is_noticed(file: Path) -> None:
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        file.write_bytes(changed)
        with pytest.raises(RunError, match=r"a\.safetensors: damaged"):
            tensors.read(file)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 100, -1])
def test_every_cut_is_noticed(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(RunError, match="damaged"):
        tensors.read(file)


def test_a_longer_file_is_noticed(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(RunError, match="damaged"):
        tensors.read(file)


def test_a_file_without_a_checksum_is_refused(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    with pytest.raises(RunError, match="it has no checksum"):
        tensors.read(tmp_path / "a.safetensors")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no such file"):
        tensors.read(tmp_path / "a.safetensors")
    with pytest.raises(RunError, match="cannot be read"):
        tensors.read(tmp_path)


def test_tensors_may_share_memory_and_be_in_any_layout(tmp_path: Path) -> None:
    x = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    tensors.write(tmp_path / "a.safetensors", {"x": x, "again": x, "part": x[0], "turned": x.transpose(0, 1)})
    found = tensors.read(tmp_path / "a.safetensors")[0]
    assert torch.equal(found["x"], x)
    assert torch.equal(found["again"], x)
    assert torch.equal(found["part"], x[0])
    assert torch.equal(found["turned"], x.transpose(0, 1))


def test_all_types_and_empty_tensors(tmp_path: Path) -> None:
    state = {name: torch.tensor([1, 0, 1]).to(getattr(torch, name)) for name in tensors.TYPES}
    state["empty"] = torch.zeros(2, 0)
    tensors.write(tmp_path / "a.safetensors", state)
    # the library's own reader checks the format
    found = load_file(tmp_path / "a.safetensors")
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
        # at a multiple of its size, for readers that map the file
        assert found[name].data_ptr() % tensor.element_size() == 0


def test_the_file_has_the_permissions_of_any_new_one(file: Path) -> None:
    other = file.with_name("other")
    other.touch()
    assert file.stat().st_mode == other.stat().st_mode


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.safetensors")
    with pytest.raises(RunError, match="is a pipe, a device or a socket, not a file"):
        tensors.read(tmp_path / "a.safetensors")


def test_notes_that_were_read_can_be_written(file: Path) -> None:
    state, notes = tensors.read(file)
    tensors.write(file, {**state, "n": torch.tensor(4)}, notes)
    assert tensors.read(file)[0]["n"] == 4
