from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.data import Options
from simulacra.data.check import check
from simulacra.errors import DataError


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    """20 images in two classes."""
    rng = np.random.default_rng(0)
    for i in range(20):
        folder = tmp_path / "pics" / ("cat" if i % 4 else "dog")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(folder / f"{i:02}.png")
    return tmp_path / "pics"


def test_a_sound_folder(pics: Path, own_cache: Path) -> None:
    report = check(f"folder:{pics}")
    assert report.ok
    assert (report.total, report.kind, report.shape) == (20, "image", (1, 16, 16))
    assert report.classes == {"cat": 15, "dog": 5}
    assert report.sizes == {"16x16": 20}
    assert sum(report.splits.values()) == 20
    assert not report.bad
    assert not report.duplicates
    assert not report.notes
    assert list(own_cache.iterdir()) == []


def test_every_bad_file_is_listed(pics: Path) -> None:
    (pics / "cat" / "diary.png").write_text("a diary")
    (pics / "dog" / "empty.jpg").touch()
    Image.new("L", (1, 1)).save(pics / "dog" / "dot.png")
    report = check(f"folder:{pics}")
    assert not report.ok
    assert report.bad == {
        "cat/diary.png": "not an image",
        "dog/dot.png": "1x1 pixels, too small",
        "dog/empty.jpg": "empty file",
    }
    assert report.total == 23
    assert report.classes == {"cat": 15, "dog": 5}
    assert report.shape == (1, 16, 16)  # bad files have no say


def test_duplicates_are_a_note(pics: Path) -> None:
    with Image.open(pics / "cat" / "01.png") as image:
        image.save(pics / "dog" / "again.bmp")
    report = check(f"folder:{pics}")
    assert report.ok
    assert report.duplicates == (("cat/01.png", "dog/again.bmp"),)
    assert any("1 image is duplicated, 2 files" in note for note in report.notes)
    assert any("several classes" in note for note in report.notes)
    assert not any("several splits" in note for note in report.notes)


def test_duplicates_across_given_splits_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("train/a.png", "train/b.png", "val/c.png", "test/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "test" / "e.png").write_bytes((tmp_path / "train" / "a.png").read_bytes())
    report = check(f"folder:{tmp_path}")
    assert report.splits == {"train": 2, "validation": 1, "test": 2}
    assert any("1 of them is in several splits" in note for note in report.notes)


def test_every_problem_of_the_csv_is_listed(pics: Path) -> None:
    lines = [f"{i:02}.png,{i}" for i in range(18)]
    (pics / "labels.csv").write_text("\n".join(["file,age", *lines, "ghost.png,1"]))
    report = check(f"folder:{pics}")
    assert not report.ok
    assert report.problems == (
        "labels.csv: line 20: there is no image 'ghost.png'",
        "labels.csv: 'cat/18.png' is missing from it",
        "labels.csv: 'cat/19.png' is missing from it",
    )


def test_columns_left_out_are_noted(pics: Path) -> None:
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(pics / "cat" / "20.png")
    lines = [f"{i:02}.png,note {i}" for i in range(21)]
    (pics / "labels.csv").write_text("\n".join(["file,remark", *lines]))
    report = check(f"folder:{pics}")
    assert report.ok
    assert report.notes == ("labels.csv: column 'remark' is left out: 21 different texts are not categories",)


def test_names_a_terminal_cannot_show(pics: Path) -> None:
    (pics / "cat" / "\x1b[31m\n.png").write_text("a diary")
    assert list(check(f"folder:{pics}").bad) == ["cat/?[31m?.png"]


def test_other_sources_are_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.random.default_rng(0).normal(size=(40, 3)), y=np.arange(40) % 2)
    report = check(f"npz:{tmp_path / 'a.npz'}")
    assert report.ok
    assert (report.total, report.kind, report.shape) == (40, "vector", (3,))
    assert report.classes == {"0": 20, "1": 20}
    assert sum(report.splits.values()) == 40
    assert check("digits", Options(image_size=16)).shape == (1, 16, 16)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no"):
        check(f"folder:{tmp_path / 'nowhere'}")


def test_equal_rows_of_a_table_are_counted(tmp_path: Path) -> None:
    rows = [f"{i}.5,{'ab'[i % 2]},{i % 3}" for i in range(40)]
    # the last but one differs in the target alone
    rows += [rows[4], rows[4], rows[7], "9.5,b,1", rows[0]]
    (tmp_path / "t.csv").write_text("\n".join(["n,word,y", *rows]))
    report = check(f"csv:{tmp_path}/t.csv", Options(target="y"))
    assert report.duplicates == (("row 1", "row 45"), ("row 5", "row 41", "row 42"), ("row 8", "row 43"))
    assert report.notes[0].startswith(
        "4 rows are equal to an earlier one in every column used (first: row 45 eq"
    )
    # equal rows of categories alone are no copies
    (tmp_path / "c.csv").write_text("\n".join(["a,b", *["x,y", "x,z", "v,y"] * 10]))
    assert check(f"csv:{tmp_path}/c.csv").duplicates == ()
