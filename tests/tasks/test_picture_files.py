"""Picture files as inputs: names kept, nothing overwritten, and the same call goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simulacra.data.images.decode import ImageWithAlpha
from simulacra.errors import ConfigError, DataError, RunError
from simulacra.tasks.picture_files import Job, Picture, Plan, open_pictures, plan, skipped_files, write

NUMBERED = ("-1", "-2")


def planned(inputs: Sequence[Path], out: Path, suffixes: Sequence[str] = ("",)) -> Plan:
    with open_pictures(inputs, out) as pictures:
        return plan(pictures, out, suffixes)


def saved(image: Image.Image, file: Path, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, **options)
    return file


def picture(file: Path, colour: int = 0) -> Path:
    return saved(Image.new("RGB", (8, 8), (colour, 0, 0)), file)


def test_folders_keep_their_structure_and_files_their_names(tmp_path: Path) -> None:
    a, b, loose = (picture(tmp_path / p) for p in ("in/a.png", "in/sub/deep/a.png", "x/loose.jpg"))
    (tmp_path / "in" / "notes.txt").write_text("not a picture")
    out = tmp_path / "out"
    jobs, bad, _ = planned([tmp_path / "in", loose], out)
    assert jobs == [
        Job(Picture(a, PurePosixPath("a.png")), (out / "a.png",)),
        Job(Picture(b, PurePosixPath("sub/deep/a.png")), (out / "sub" / "deep" / "a.png",)),
        Job(Picture(loose, PurePosixPath("loose.jpg")), (out / "loose.jpg",)),
    ]
    assert bad == {}
    assert not out.exists()
    (first, *_), *_ = planned([tmp_path / "in"], out, NUMBERED)
    assert [file.name for file in first.outs] == ["a-1.png", "a-2.png"]


def test_one_file_given_twice_is_one_job(tmp_path: Path) -> None:
    a = picture(tmp_path / "in" / "a.png")
    jobs, *_ = planned([a, tmp_path / "in", a], tmp_path / "out", NUMBERED)
    assert [job.source.path for job in jobs] == [a]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    good = picture(tmp_path / "a.png")
    broken, missing = tmp_path / "broken.jpg", tmp_path / "missing.png"
    broken.write_bytes(b"\xff\xd8\xff nothing")
    jobs, bad, _ = planned([broken, good, missing], tmp_path / "out")
    assert [job.source.path for job in jobs] == [good]
    assert bad == {broken: "damaged or truncated", missing: "cannot be read (No such file or directory)"}


@pytest.mark.parametrize("suffixes", [("",), NUMBERED])
def test_two_inputs_of_one_name_are_refused(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    for folder in ("one", "two"):
        picture(tmp_path / folder / "a.png")
    with pytest.raises(DataError, match="would both become"):
        planned([tmp_path / "one", tmp_path / "two"], tmp_path / "out", suffixes)
    # of one name without the ending as well
    saved(Image.new("RGBA", (8, 8)), tmp_path / "three" / "a.jpg", format="PNG")
    with pytest.raises(DataError, match=r"three/a\.jpg would both become"):
        planned([tmp_path / "one", tmp_path / "three"], tmp_path / "out", suffixes)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    a = picture(folder / "a.png")
    picture(folder / "b.png")
    for suffixes in (("",), NUMBERED):
        with pytest.raises(
            RunError, match="in: is one of the inputs, which would have the results among them"
        ):
            planned([folder], folder, suffixes)
    with pytest.raises(RunError, match=r"a\.png: is one of the inputs"):
        planned([a], folder)
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(RunError, match="link: is one of the inputs"):
        planned([folder], link)
    with pytest.raises(RunError, match=r"a\.png: is one of the inputs, which are never overwritten"):
        planned([a], link)
    out = tmp_path / "out"
    picture(out / "a.png")
    assert planned([a], out) == Plan([], {}, 1)
    # what is missing is done, as after an interruption
    (job,), _, there = planned([folder], out)
    assert (job.source.path.name, there) == ("b.png", 1)
    (out / "b.png").symlink_to(tmp_path / "nowhere")
    assert planned([folder], out) == Plan([], {}, 2)


def test_results_below_the_inputs_are_no_inputs(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png")
    picture(tmp_path / "new" / "old.png")
    jobs, *_ = planned([tmp_path], tmp_path / "new")
    assert jobs == [Job(Picture(a, PurePosixPath("a.png")), (tmp_path / "new" / "a.png",))]


def test_out_is_a_folder(tmp_path: Path) -> None:
    a = picture(tmp_path / "a.png")
    for out in (a, tmp_path / "b.png"):
        with pytest.raises(ConfigError, match="a file; give a folder"):
            planned([a], out)


def test_an_interrupted_picture_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(self: Image.Image, file: Path, *rest: Any, **options: Any) -> None:
        file.write_bytes(b"half")
        raise KeyboardInterrupt

    image = Image.new("RGB", (8, 8))
    monkeypatch.setattr(Image.Image, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(image, ImageWithAlpha(image, None, None), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_pictures_of_a_zip_keep_their_paths_in_it(tmp_path: Path) -> None:
    archive, out = tmp_path / "in.zip", tmp_path / "out"
    with zipfile.ZipFile(archive, "w") as files:
        for name, colour in (("a.png", 10), ("sub/a.png", 20)):
            files.write(picture(tmp_path / "one.png", colour), name)
        files.writestr("notes.txt", "not a picture")
        files.writestr("broken.png", b"\x89PNG nothing")
    with open_pictures([archive, archive], out) as pictures:
        jobs, bad, there = plan(pictures, out)
        assert [job.outs for job in jobs] == [(out / "a.png",), (out / "sub" / "a.png",)]
        assert [np.asarray(job.source.open().image)[0, 0, 0] for job in jobs] == [10, 20]
    assert bad == {archive / "broken.png": "damaged or truncated"}
    assert there == 0
    assert skipped_files([archive], out) == {archive: {".txt": 1}}


def test_what_a_killed_process_left_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    a, out = picture(tmp_path / "a.png"), tmp_path / "out"
    out.mkdir()
    names = [f".a.png.{int(dead.stdout)}.tmp", f".a.png.{os.getppid()}.tmp", f".b.png.{int(dead.stdout)}.tmp"]
    for name in names:
        (out / name).touch()
    planned([a], out)
    assert {file.name for file in out.iterdir()} == set(names[1:])
