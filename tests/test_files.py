"""Files that are whole or absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulacra.errors import RunError
from simulacra.files import replacing, write_text


def write_half(file: Path, error: BaseException) -> None:
    with replacing(file) as temporary:
        temporary.write_text("half")
        raise error


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    write_text(file, "old")
    with pytest.raises(ZeroDivisionError):
        write_half(file, ZeroDivisionError())
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a\.txt: could not be written \(No space left on device\)"):
        write_half(tmp_path / "a.txt", OSError(28, "No space left on device"))


def test_leftovers_of_dead_processes_are_cleared(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    names = [
        f".a[1].txt.{int(dead.stdout)}.tmp",
        f".a[1].txt.{os.getppid()}.tmp",
        f".b.txt.{int(dead.stdout)}.tmp",
    ]
    for name in names:
        (tmp_path / name).touch()
    write_text(tmp_path / "a[1].txt", "new")
    # that of a living process, and that of another file, stay
    assert {file.name for file in tmp_path.iterdir()} == {"a[1].txt", *names[1:]}
