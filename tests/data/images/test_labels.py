"""Classes and attributes of the images of a folder: by its sub-folders, and by labels.csv."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from simulacra.data import load
from simulacra.errors import DataError
from tests.data.sources.test_folder import LEVELS, everything, fill, packed


def test_sub_folders_are_classes(tmp_path: Path) -> None:
    names = ["10", "9", "2"]
    fill(tmp_path / "pics", (f"{names[i % 3]}/deep/{i}.png" for i in range(30)))
    data = load(f"folder:{tmp_path / 'pics'}")
    assert data.spec.classes == ("2", "9", "10")
    assert data.train.y is not None
    assert data.train.y.dtype == np.int64
    assert all(name == names[(level - 3) % 3] for level, (name, _) in everything(data).items())


def test_a_loose_picture_or_a_single_folder_makes_no_classes(tmp_path: Path) -> None:
    fill(tmp_path / "a", ["loose.png", *(f"{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(20))])
    assert load(f"folder:{tmp_path / 'a'}").train.y is None
    fill(tmp_path / "b", (f"cat/{i}.png" for i in range(20)))
    assert load(f"folder:{tmp_path / 'b'}").train.y is None


def csv_of(rows: Iterator[str], header: str) -> str:
    return "\r\n".join([header, *rows]) + "\r\n"


@pytest.mark.parametrize("wrap", ["", "wrapping/"])
def test_labels_csv(wrap: str, tmp_path: Path) -> None:
    root = tmp_path / "pics"
    fill(root, (f"{wrap}{i}.png" for i in LEVELS))
    rows = (f"{i}.png,{i / 2},{'bee' if i % 2 else 'ant'},{'m' if i % 3 else 'f'},note {i}" for i in LEVELS)
    (root / wrap / "labels.csv").write_text(csv_of(rows, "File,age,Class,sex,remark"), encoding="utf-8-sig")
    for data in (load(f"folder:{root}"), load(f"folder:{packed(root)}")):
        assert data.spec.classes == ("ant", "bee")
        assert data.spec.attributes == ("age", "sex=f", "sex=m")  # remark: 40 different texts
        assert data.train.attributes is not None
        assert data.train.attributes.dtype == np.float32
        found = everything(data)
        assert len(found) == len(LEVELS)
        for i, (name, values) in found.items():
            assert name == ("bee" if i % 2 else "ant")
            assert values == [i / 2, float(i % 3 == 0), float(i % 3 != 0)]


def test_csv_paths_semicolons_and_folder_classes(tmp_path: Path) -> None:
    root = tmp_path / "pics"
    fill(root, (f"{'cat' if i % 2 else 'dog'}/{i}.png" for i in LEVELS))
    rows = (f"{'cat' if i % 2 else 'dog'}\\{i}.png;{i}" for i in LEVELS)
    (root / "labels.csv").write_text(csv_of(rows, "file;age"))
    data = load(f"folder:{root}")
    assert data.spec.classes == ("cat", "dog")
    assert data.spec.attributes == ("age",)
    assert all(values == [float(level)] for level, (_, values) in everything(data).items())


@pytest.mark.parametrize(
    ("header", "change", "message"),
    [
        ("image,age", {}, "first column must be named 'file', not 'image'"),
        ("file,", {}, "column 2 has no name"),
        ("file,label,class", {i: f"{i}.png,a,b" for i in LEVELS}, "'label' and 'class' mean the same"),
        ("file,age", {7: None}, "'7.png' is missing from it"),
        ("file,age", {7: "7.png,1\nghost.png,1"}, "line 7: there is no image 'ghost.png'"),
        ("file,age", {7: "8.png,1"}, "'8.png' is listed twice"),
        ("file,age", {7: "7.png"}, "line 6: 1 values, but 2 columns"),
        ("file,age", {7: "7.png,"}, "no value in column 'age' for '7.png'"),
        ("file,age", {7: "7.png,inf"}, "column 'age' holds a number that is not finite"),
        ("file,age", {7: "7.png,1e99"}, "column 'age' holds a number that is not finite, or too large"),
    ],
)
def test_a_wrong_csv_is_said(
    header: str, change: dict[int, str | None], message: str, tmp_path: Path
) -> None:
    fill(tmp_path, (f"{i}.png" for i in LEVELS))
    rows = [change.get(i, f"{i}.png,{i}") for i in LEVELS]
    (tmp_path / "labels.csv").write_text(csv_of((row for row in rows if row), header))
    with pytest.raises(DataError, match=r"labels\.csv: ") as caught:
        load(f"folder:{tmp_path}")
    assert message in str(caught.value)


def test_an_ambiguous_name_and_a_foreign_encoding(tmp_path: Path) -> None:
    fill(tmp_path, ["a/1.png", "b/1.png"])
    (tmp_path / "labels.csv").write_text("file,age\n1.png,3\na/1.png,4\n")
    with pytest.raises(DataError, match=r"line 2: '1\.png' is in several folders"):
        load(f"folder:{tmp_path}")
    (tmp_path / "labels.csv").write_bytes("file,größe\n".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        load(f"folder:{tmp_path}")
    (tmp_path / "labels.csv").write_bytes(b"")
    with pytest.raises(DataError, match="first column"):
        load(f"folder:{tmp_path}")
