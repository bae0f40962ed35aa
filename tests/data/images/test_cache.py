from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simulacra.data import Data, Options, load
from simulacra.data.images import cache
from simulacra.data.spec import SPLITS
from simulacra.errors import DataError

# Every picture has one colour, which is its content and tells which it is.
LEVELS = range(3, 43)


def picture(level: int) -> Image.Image:
    return Image.new("L", (16, 16), level)


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    """40 loose images."""
    (tmp_path / "pics").mkdir()
    for level in LEVELS:
        picture(level).save(tmp_path / "pics" / f"{level}.png")
    return tmp_path / "pics"


def levels(data: Data) -> set[int]:
    return {int(x.flat[0]) for split in SPLITS for x in data.split(split).x}


def same(a: Data, b: Data) -> bool:
    return a.spec == b.spec and all(np.array_equal(a.split(s).x, b.split(s).x) for s in SPLITS)


def cached(own_cache: Path, suffix: str = "") -> list[Path]:
    return sorted((own_cache / "simulacra" / "cache").glob(f"*{suffix}"))


def no_decoding(*_: Any) -> Any:
    raise AssertionError("decoded again")


def test_the_second_time_it_is_read_from_the_cache(
    pics: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(f"folder:{pics}")
    assert len(cached(own_cache)) == 3  # the images, what is in them, and their near-copies
    monkeypatch.setattr(cache, "decode_all", no_decoding)
    assert same(load(f"folder:{pics}"), first)
    with pytest.raises(AssertionError, match="decoded again"):
        load(f"folder:{pics}", Options(image_size=8))


def test_a_changed_file_changes_the_result_even_with_its_old_size_and_time(pics: Path) -> None:
    load(f"folder:{pics}")
    before = (pics / "7.png").stat()
    raw = (pics / "7.png").read_bytes()
    picture(200).save(pics / "7.png", compress_level=9)
    (pics / "7.png").write_bytes((pics / "7.png").read_bytes().ljust(len(raw), b"\0"))
    os.utime(pics / "7.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (pics / "7.png").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert levels(load(f"folder:{pics}")) == {*LEVELS, 200} - {7}


def test_a_renamed_added_or_removed_file_changes_the_result(pics: Path) -> None:
    load(f"folder:{pics}")
    picture(200).save(pics / "new.png")
    assert 200 in levels(load(f"folder:{pics}"))
    (pics / "new.png").unlink()
    assert 200 not in levels(load(f"folder:{pics}"))


def test_new_labels_need_no_decoding(pics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(f"folder:{pics}")
    monkeypatch.setattr(cache, "decode_all", no_decoding)
    (pics / "labels.csv").write_text("\n".join(["file,age", *(f"{i}.png,{i}" for i in LEVELS)]))
    train = load(f"folder:{pics}").train
    assert train.attributes is not None
    assert train.attributes[:, 0].tolist() == train.x[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("suffix", ["[0-9a-f].npy", ".near.npy", ".json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "gone"])
def test_a_damaged_cache_is_made_again(suffix: str, damage: str, pics: Path, own_cache: Path) -> None:
    first = load(f"folder:{pics}")
    (path,) = cached(own_cache, suffix)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": whole[:-10], "empty": b"", "garbage": b"PK\x03\x04" * 50}[damage])
    assert same(load(f"folder:{pics}"), first)
    assert path.read_bytes() == whole


def test_a_large_set_stays_mapped_and_is_the_same(pics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = load(f"folder:{pics}")
    assert not isinstance(in_memory.train.x, np.memmap)
    monkeypatch.setattr(cache, "available_memory", lambda: 0)
    mapped = load(f"folder:{pics}")
    assert all(isinstance(mapped.split(split).x, np.memmap) for split in SPLITS)
    assert same(mapped, in_memory)


def test_without_a_cache_it_is_held_in_memory(
    pics: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(f"folder:{pics}")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    uncached = load(f"folder:{pics}")
    assert same(uncached, first)
    assert np.array_equal(uncached.train.x, first.train.x)
    monkeypatch.setattr(cache, "available_memory", lambda: 0)
    with pytest.raises(DataError, match=r"more than fits in memory.* set SIMULACRA_DATA"):
        load(f"folder:{pics}")


def test_a_full_disk_is_no_reason_to_stop(
    pics: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        held = load(f"folder:{pics}")
    assert cached(own_cache) == []  # nothing half-written stays
    assert same(held, load(f"folder:{pics}"))


def test_a_read_only_data_folder_is_left_alone(
    pics: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o555)
    monkeypatch.setenv("SIMULACRA_DATA", str(shared))
    load(f"folder:{pics}")
    assert list(shared.iterdir()) == []
    assert len(cached(own_cache)) == 3


def test_a_file_that_changes_while_it_is_read_is_not_cached(
    pics: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_all = cache.decode_all

    def meddle(*args: Any) -> Any:
        picture(200).save(pics / "7.png")
        return decode_all(*args)

    with monkeypatch.context() as patch:
        patch.setattr(cache, "decode_all", meddle)
        with pytest.raises(DataError, match=r"7\.png: changed while it was being read"):
            load(f"folder:{pics}")
    assert cached(own_cache) == []
    assert 200 in levels(load(f"folder:{pics}"))


def test_a_stopped_decoding_leaves_nothing(
    pics: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(cache, "decode_all", stop)
    with pytest.raises(KeyboardInterrupt):
        load(f"folder:{pics}")
    assert cached(own_cache) == []


def test_what_a_killed_decoding_left_goes_with_the_next_one(pics: Path, own_cache: Path) -> None:
    code = f"""
import os
from simulacra.data import load
from simulacra.data.images import cache
cache.decode_all = lambda *_: os.kill(os.getpid(), 9)
load('folder:{pics}')
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = cached(own_cache)
    load(f"folder:{pics}")
    assert len(cached(own_cache)) == 3
    assert left not in cached(own_cache)


def test_many_at_once(pics: Path, own_cache: Path) -> None:
    code = f"from simulacra.data import load; print(len(load('folder:{pics}').train))"
    others = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: load(f"folder:{pics}"), range(4)))
    assert all(same(loaded[0], each) for each in loaded)
    assert {other.communicate()[0].strip() for other in others} == {str(len(loaded[0].train))}
    assert len(cached(own_cache)) == 3
