"""Files that are whole or absent."""

import errno
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from simulacra import files
from simulacra.errors import RunError
from simulacra.files import replacing, replacing_all, write_text


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


@pytest.mark.parametrize("links", [True, False])
def test_what_is_there_is_kept_unless_it_may_be_replaced(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(files.os, "link", refused)
    file = tmp_path / "a.txt"
    write_text(file, "old", overwrite=False)
    with pytest.raises(RunError, match=r"a\.txt: exists; choose another name"):
        write_text(file, "new", overwrite=False)
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(RunError, match="link: exists"):
        write_text(tmp_path / "link", "new", overwrite=False)
    with pytest.raises(RunError, match=r"a\.txt: exists"), replacing(file, overwrite=False) as temporary:
        temporary.mkdir()
    assert file.read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.txt", "link"]
    write_text(file, "new")
    assert file.read_text() == "new"


def test_files_that_belong_together_are_all_written_or_none(tmp_path: Path) -> None:
    new, old = tmp_path / "new.txt", tmp_path / "old.txt"
    old.write_text("old")

    def write(paths: Mapping[Path, bool]) -> None:
        with replacing_all(paths) as temporaries:
            for temporary in temporaries:
                temporary.write_text("new")

    with pytest.raises(RunError, match=r"old\.txt: exists"):
        write({new: False, old: False})
    assert list(tmp_path.iterdir()) == [old]
    write({new: False, old: True})
    assert [new.read_text(), old.read_text()] == ["new", "new"]


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
