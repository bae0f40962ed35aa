"""Folders and .zips of images: what is read, at which size, in which split, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simulacra.data import Data, Options, load
from simulacra.data.images.decode import content_share
from simulacra.data.spec import SPLITS, Dataset
from simulacra.errors import DataError

# Every picture has one colour, which is its content and tells which it is.
LEVELS = range(3, 43)


def picture(level: int, size: tuple[int, int] = (16, 16), mode: str = "L") -> Image.Image:
    return Image.new("L", size, level).convert(mode)


def fill(root: Path, names: Any, mode: str = "L") -> None:
    for level, name in zip(LEVELS, names, strict=False):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(level, mode=mode).save(path)


def packed(root: Path, extra: dict[str, bytes] | None = None) -> Path:
    target = root.with_suffix(".zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root).as_posix())
        for name, raw in (extra or {}).items():
            archive.writestr(name, raw)
    return target


def levels(part: Dataset) -> list[int]:
    return [int(x.flat[0]) for x in part.x]


def everything(data: Data) -> dict[int, tuple[str | None, list[float] | None]]:
    """level -> (class, attributes), whatever the split."""
    found: dict[int, tuple[str | None, list[float] | None]] = {}
    for split in SPLITS:
        part = data.split(split)
        for i, level in enumerate(levels(part)):
            name = None if part.y is None else part.spec.classes[part.y[i]]
            found[level] = (name, None if part.attributes is None else part.attributes[i].tolist())
    return found


def same(a: Data, b: Data) -> bool:
    return a.spec == b.spec and all(np.array_equal(a.split(s).x, b.split(s).x) for s in SPLITS)


@pytest.fixture
def pics(tmp_path: Path) -> Path:
    """40 loose images."""
    fill(tmp_path / "pics", (f"{i}.png" for i in LEVELS))
    return tmp_path / "pics"


# What is read


def test_every_picture_once_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "pics"
    names = ["a.PNG", "b.JPG", "c.jpeg", "d.webp", "e.bmp", *(f"sub/deep/{i}.png" for i in range(20))]
    fill(root, names)
    fill(root, [".hidden.png", ".cache/x.png", "__MACOSX/y.png"])
    (root / "notes.txt").write_text("no image")
    for data in (load(f"folder:{root}"), load(f"folder:{packed(root)}")):
        assert sorted(everything(data)) == list(LEVELS)[: len(names)]
        assert data.spec.classes == ()


def test_links_are_followed_but_not_for_ever(tmp_path: Path, pics: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "linked").symlink_to(pics)
    (pics / "loop").symlink_to(outer)
    assert sorted(everything(load(f"folder:{outer}"))) == list(LEVELS)


def test_a_zip_gives_what_its_folder_gives(pics: Path) -> None:
    assert same(load(f"folder:{pics}"), load(f"folder:{packed(pics)}"))


# Size and channels


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(16, 16)], 16),
        ([(128, 128)], 128),
        ([(129, 129)], 64),
        ([(16, 16), (20, 20)], 64),
        ([(16, 20)], 64),
    ],
)
def test_own_size(sizes: list[tuple[int, int]], expected: int, tmp_path: Path) -> None:
    for level in LEVELS:
        picture(level, sizes[level % len(sizes)]).save(tmp_path / f"{level}.png")
    assert load(f"folder:{tmp_path}").spec.shape == (1, expected, expected)


def test_one_colour_picture_makes_three_channels(pics: Path) -> None:
    assert load(f"folder:{pics}").spec.shape == (1, 16, 16)
    picture(200, mode="RGB").save(pics / "colour.png")
    assert load(f"folder:{pics}").spec.shape == (3, 16, 16)


def test_options_decide(pics: Path) -> None:
    assert load(f"folder:{pics}", Options(image_size=8, channels=3)).spec.shape == (3, 8, 8)
    with pytest.raises(DataError, match="image size 2 is out of range"):
        load(f"folder:{pics}", Options(image_size=2))


# Splits


def test_content_decides_the_split_whatever_size_and_name(pics: Path) -> None:
    data = load(f"folder:{pics}")
    assert len(data.train) > len(data.validation) > 0
    assert len(data.test) > 0
    small = load(f"folder:{pics}", Options(image_size=8, channels=3))
    for i in LEVELS:
        (pics / f"{i}.png").rename(pics / f"renamed{99 - i}.png")
    renamed = load(f"folder:{pics}")
    for split in SPLITS:
        assert set(levels(data.split(split))) == set(levels(small.split(split)))
        assert set(levels(data.split(split))) == set(levels(renamed.split(split)))


def test_duplicates_share_a_split(pics: Path) -> None:
    for i in LEVELS:
        picture(i, mode="RGB").save(pics / f"copy{i}.bmp")
    data = load(f"folder:{pics}")
    parts = [set(levels(data.split(split))) for split in SPLITS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(LEVELS)


@pytest.mark.parametrize("wrap", ["", "wrapping/", "two/deep/"])
@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_split_folders(name: str, wrap: str, tmp_path: Path) -> None:
    root = tmp_path / "pics"
    tops = ["train", "Test", name]
    fill(root, (f"{wrap}{tops[i % 3]}/{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(30)))
    data = load(f"folder:{root}")
    assert data.spec.classes == ("cat", "dog")
    for top, split in zip(tops, ("train", "test", "validation"), strict=True):
        assert {(level - 3) % 3 for level in levels(data.split(split))} == {tops.index(top)}
        assert len(data.split(split)) == 10
    assert all(name == ("cat" if (level - 3) % 2 else "dog") for level, (name, _) in everything(data).items())


def spread(root: Path, top: str, count: int, seed: int) -> list[bytes]:
    """Many small random images."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (count, 4, 4), dtype=np.uint8)
    (root / top).mkdir(parents=True)
    for i, each in enumerate(x):
        Image.fromarray(each).save(root / top / f"{i}.png")
    return [each.tobytes() for each in x]


def contents(part: Dataset) -> set[bytes]:
    return {x.tobytes() for x in part.x}


def test_train_and_test_alone_hold_out_validation(tmp_path: Path) -> None:
    train, test = spread(tmp_path, "train", 300, 0), spread(tmp_path, "test", 20, 1)
    data = load(f"folder:{tmp_path}")
    assert contents(data.test) == set(test)
    assert contents(data.train) | contents(data.validation) == set(train)
    assert 5 <= len(data.validation) <= 27  # 5% of 300


def test_train_and_val_alone_cut_test_from_train(tmp_path: Path) -> None:
    train, val = spread(tmp_path, "train", 300, 0), spread(tmp_path, "val", 20, 1)
    data = load(f"folder:{tmp_path}")
    assert contents(data.validation) == set(val)
    assert contents(data.train) | contents(data.test) == set(train)
    assert 15 <= len(data.test) <= 45  # 10% of 300


def test_train_alone_or_beside_others_is_no_split(tmp_path: Path) -> None:
    fill(tmp_path / "a", (f"train/{'cat' if i % 2 else 'dog'}/{i}.png" for i in range(30)))
    assert load(f"folder:{tmp_path / 'a'}").spec.classes == ("cat", "dog")
    fill(tmp_path / "b", (f"{'train' if i % 2 else 'bus'}/{i}.png" for i in range(30)))
    assert load(f"folder:{tmp_path / 'b'}").spec.classes == ("bus", "train")


@pytest.mark.parametrize("form", ["{label}/{split}", "{split}{label}"])
def test_splits_inside_of_classes_or_joined_to_them(form: str, tmp_path: Path) -> None:
    root = tmp_path / "pics"
    tops = ["train", "test", "val"]
    fill(root, (f"{form.format(split=tops[i % 3], label='AB'[i % 2])}/{i}.png" for i in range(30)))
    data = load(f"folder:{root}")
    assert data.spec.classes == ("A", "B")
    for top, split in zip(tops, ("train", "test", "validation"), strict=True):
        assert {(level - 3) % 3 for level in levels(data.split(split))} == {tops.index(top)}
    assert all(name == "AB"[(level - 3) % 2] for level, (name, _) in everything(data).items())


def test_a_class_that_is_called_like_a_split_stays_a_class(tmp_path: Path) -> None:
    # no split is named by every picture
    fill(tmp_path / "a", (f"{['cat/train', 'cat/test', 'dog/old'][i % 3]}/{i}.png" for i in range(30)))
    assert load(f"folder:{tmp_path / 'a'}").spec.classes == ("cat", "dog")
    assert len(load(f"folder:{tmp_path / 'a'}").validation) > 0
    fill(tmp_path / "b", (f"{['trainA', 'trainB', 'other'][i % 3]}/{i}.png" for i in range(30)))
    assert load(f"folder:{tmp_path / 'b'}").spec.classes == ("other", "trainA", "trainB")


# Sources that cannot be used as a whole


def test_missing_empty_and_other_paths(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one.png").touch()
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").touch()
    for name, message in {
        "nowhere": "there is no",
        "empty": "no images found",
        "texts": "no images found",
        "one.png": "neither a folder nor a .zip",
        "text.zip": r"not a complete \.zip",
    }.items():
        with pytest.raises(DataError, match=message) as caught:
            load(f"folder:{tmp_path / name}")
        assert name in str(caught.value)
    with pytest.raises(DataError, match="no path is given"):
        load("folder")


def test_a_cut_zip(pics: Path) -> None:
    path = packed(pics)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"not a complete \.zip"):
        load(f"folder:{path}")


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.txt", "/etc/evil.png", "C:\\evil.png", "..\\evil.png"]
)
def test_a_zip_that_reaches_outside_is_refused(name: str, pics: Path) -> None:
    path = packed(pics, {name: b"evil"})
    with pytest.raises(DataError, match="unsafe entry") as caught:
        load(f"folder:{path}", Options(skip_bad=True))
    assert f"'{name}'" in str(caught.value)


def test_too_few(tmp_path: Path) -> None:
    outside = next(level for level in LEVELS if content_share(picture(level)) >= 0.8)
    picture(outside).save(tmp_path / "one.png")
    with pytest.raises(DataError, match="1 images are too few to train on"):
        load(f"folder:{tmp_path}")


# Files that cannot be used


def test_bad_files_are_refused_by_name_or_skipped(pics: Path) -> None:
    good = load(f"folder:{pics}")
    (pics / "1cat.png").write_text("a diary")
    Image.new("L", (1, 1)).save(pics / "2dot.png")
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    photo.save(pics / "3cut.jpg")
    (pics / "3cut.jpg").write_bytes((pics / "3cut.jpg").read_bytes()[:-500])
    for path in (pics, packed(pics)):
        with pytest.raises(DataError) as caught:
            load(f"folder:{path}", Options(image_size=16))
        assert str(caught.value) == (
            f"folder:{path}: 3 of 43 files cannot be used (first: 1cat.png: not an image); run "
            f"'simulacra data check folder:{path}' for the list; remove them, or train with --skip-bad"
        )
        assert same(load(f"folder:{path}", Options(image_size=16, skip_bad=True)), good)


def test_nothing_but_bad_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("a diary")
    with pytest.raises(DataError, match=r"none of the 1 files can be used \(first: a.png: not an image\)"):
        load(f"folder:{tmp_path}", Options(skip_bad=True))


def test_a_damaged_member_is_bad_and_a_mended_zip_is_read_again(pics: Path) -> None:
    good = load(f"folder:{packed(pics)}")
    path = pics.with_suffix(".zip")
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("7.png")
    broken = bytearray(whole)
    broken[info.header_offset + 30 + len("7.png") + 20] ^= 255
    # another option, for the cache knows the whole one
    path.write_bytes(broken)
    with pytest.raises(DataError, match=r"1 of 40 files .*7.png: damaged in the .zip"):
        load(f"folder:{path}", Options(image_size=16))
    assert len(everything(load(f"folder:{path}", Options(image_size=16, skip_bad=True)))) == 39
    path.write_bytes(whole)
    assert same(load(f"folder:{path}", Options(image_size=16)), good)


def test_a_dangling_link_is_bad(pics: Path) -> None:
    (pics / "0link.png").symlink_to(pics / "nowhere.png")
    with pytest.raises(DataError, match=r"1 of 41 files .*0link\.png: cannot be read"):
        load(f"folder:{pics}")
