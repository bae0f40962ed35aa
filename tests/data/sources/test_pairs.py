"""Pairs of images, side by side or in two folders: what stands left, what right, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from simulacra.data import Data, Options, load
from simulacra.data.check import check
from simulacra.data.images import cache
from simulacra.data.images.decode import content_share
from simulacra.data.spec import SPLITS, DataSpec
from simulacra.errors import DataError

# Pair i: A has the level i throughout, B the level 100 + i.
LEVELS = range(3, 43)


def flat(level: int, size: tuple[int, int] = (16, 16)) -> Image.Image:
    return Image.new("L", size, level)


def beside(level: int, size: tuple[int, int] = (16, 16)) -> Image.Image:
    """A and B in one image."""
    both = Image.new("L", (2 * size[0], size[1]), 100 + level)
    both.paste(flat(level, size), (0, 0))
    return both


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def packed(root: Path) -> Path:
    target = root.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(root.rglob("*")):
            archive.write(path, path.relative_to(root).as_posix())
    return target


def pairs(data: Data, split: str) -> set[tuple[int, int]]:
    """The levels of A and B of every pair of a split, each of which must be of one level throughout."""
    part = data.split(split)
    assert part.target is not None
    assert (part.x == part.x[:, :1, :1, :1]).all()
    assert (part.target == part.target[:, :1, :1, :1]).all()
    return set(zip(part.x[:, 0, 0, 0].tolist(), part.target[:, 0, 0, 0].tolist(), strict=True))


def everything(data: Data) -> set[tuple[int, int]]:
    return set().union(*(pairs(data, split) for split in SPLITS))


TRUE = {(level, 100 + level) for level in LEVELS}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """40 files of a pair each."""
    for level in LEVELS:
        save(beside(level), tmp_path / "files" / f"{level}.png")
    return tmp_path / "files"


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """The same pairs in two folders."""
    for level in LEVELS:
        save(flat(level), tmp_path / "folders" / "A" / f"{level}.png")
        save(flat(100 + level), tmp_path / "folders" / "B" / f"{level}.png")
    return tmp_path / "folders"


# What is read


def test_left_is_a_and_right_is_b(files: Path) -> None:
    for path in (files, packed(files)):
        data = load(f"pairs:{path}")
        assert data.spec == DataSpec("image", (1, 16, 16), target=DataSpec("image", (1, 16, 16)))
        assert everything(data) == TRUE
        assert data.train.y is None


def test_two_folders_give_the_pairs_and_the_splits_of_one_file_each(files: Path, folders: Path) -> None:
    one = load(f"pairs:{files}")
    for path in (folders, packed(folders)):
        two = load(f"pairs:{path}")
        assert two.spec == one.spec
        assert [pairs(two, split) for split in SPLITS] == [pairs(one, split) for split in SPLITS]


def test_suffixes_may_differ_and_equal_names_come_first(tmp_path: Path) -> None:
    for level in LEVELS:
        save(flat(level), tmp_path / "a" / "deep" / f"{level}.bmp")
        save(flat(100 + level), tmp_path / "b" / "deep" / f"{level}.PNG")
    # two more of one name: each finds the partner that has its suffix
    for level, suffix in ((50, "png"), (51, "bmp")):
        save(flat(level), tmp_path / "a" / f"same.{suffix}")
        save(flat(100 + level), tmp_path / "b" / f"same.{suffix}")
    assert everything(load(f"pairs:{tmp_path}")) == TRUE | {(50, 150), (51, 151)}


def test_swap_exchanges_a_and_b_and_no_split(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = load(f"pairs:{files}")
    monkeypatch.setattr(cache, "decode_all", None)  # from the same cached pictures
    back = load(f"pairs:{files}", Options(swap=True))
    for split in SPLITS:
        assert pairs(back, split) == {(b, a) for a, b in pairs(there, split)}


# Size and channels


@pytest.mark.parametrize(("size", "own"), [((16, 16), 16), ((129, 129), 64), ((24, 16), 64)])
def test_the_own_size_is_that_of_a_half(size: tuple[int, int], own: int, tmp_path: Path) -> None:
    for level in LEVELS:
        save(beside(level, size), tmp_path / f"{level}.png")
    data = load(f"pairs:{tmp_path}")
    assert data.spec.shape == (1, own, own)
    # whatever is cropped and scaled, nothing of the other half gets in
    assert everything(data) == TRUE


def test_both_are_cropped_and_scaled_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(20):
        half = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        save(Image.fromarray(np.concatenate([half, half], axis=1)), tmp_path / f"{i}.png")
    train = load(f"pairs:{tmp_path}", Options(image_size=8)).train
    assert train.x.shape[1:] == (3, 8, 8)
    assert train.target is not None
    assert np.array_equal(train.x, train.target)


def test_one_colour_picture_gives_both_three_channels(folders: Path) -> None:
    assert load(f"pairs:{folders}", Options(channels=3)).spec.shape == (3, 16, 16)
    for modes in (("RGB", "L"), ("L", "RGB")):
        save(flat(50).convert(modes[0]), folders / "A" / "50.png")
        save(flat(150).convert(modes[1]), folders / "B" / "50.png")
        data = load(f"pairs:{folders}")
        assert data.spec.target is not None
        assert data.spec.shape == data.spec.target.shape == (3, 16, 16)
        assert everything(data) == TRUE | {(50, 150)}


# Splits


def test_split_folders_of_files(tmp_path: Path) -> None:
    for top, levels in {"train": (1, 2, 3), "val": (4,), "test": (5, 6)}.items():
        for level in levels:
            save(beside(level), tmp_path / top / f"{level}.png")
    data = load(f"pairs:{tmp_path}")
    assert [pairs(data, split) for split in SPLITS] == [
        {(1, 101), (2, 102), (3, 103)},
        {(4, 104)},
        {(5, 105), (6, 106)},
    ]


@pytest.mark.parametrize("form", ["{side}/{split}", "{split}/{side}", "wrap/{split}{side}"])
def test_split_folders_of_two_folders(form: str, tmp_path: Path) -> None:
    # the same names in every split: the partner is the one in the same split
    for first, split in ((0, "train"), (10, "val"), (20, "test")):
        for i in range(4):
            for side, plus in (("A", 0), ("B", 100)):
                path = tmp_path / form.format(side=side, split=split) / f"{i}.png"
                save(flat(first + i + plus), path)
    data = load(f"pairs:{tmp_path}")
    for first, split in zip((0, 10, 20), SPLITS, strict=True):
        assert pairs(data, split) == {(first + i, first + i + 100) for i in range(4)}


def test_copies_of_a_pair_share_a_split(files: Path) -> None:
    for level in LEVELS:
        save(beside(level).convert("RGB"), files / f"copy{level}.bmp")
    data = load(f"pairs:{files}")
    parts = [pairs(data, split) for split in SPLITS]
    assert sum(map(len, parts)) == len(LEVELS)
    assert sum(len(data.split(split)) for split in SPLITS) == 2 * len(LEVELS)


def outside() -> list[int]:
    """Levels whose pairs content puts outside the training part."""
    return [level for level in range(100) if content_share(flat(level), flat(100 + level)) >= 0.8]


@pytest.mark.parametrize("n", [1, 3])
def test_few_pairs_can_be_trained_on_wherever_their_content_puts_them(n: int, tmp_path: Path) -> None:
    levels = outside()[:n]
    for level in levels:
        save(beside(level), tmp_path / f"{level}.png")
    data = load(f"pairs:{tmp_path}")
    assert pairs(data, "train") == {(level, 100 + level) for level in levels}
    assert len(data.validation) == len(data.test) == 0
    report = check(f"pairs:{tmp_path}")
    assert report.ok
    assert report.splits == {"train": n, "validation": 0, "test": 0}
    assert report.notes == ()


def test_what_a_folder_names_test_is_never_trained_on(tmp_path: Path) -> None:
    in_train, in_test = outside()[:2]
    save(beside(in_train), tmp_path / "train" / "1.png")
    save(beside(in_test), tmp_path / "test" / "1.png")
    (tmp_path / "train" / "2.png").write_text("a diary")
    data = load(f"pairs:{tmp_path}", Options(skip_bad=True))
    assert pairs(data, "train") == {(in_train, 100 + in_train)}
    assert pairs(data, "test") == {(in_test, 100 + in_test)}
    (tmp_path / "train" / "1.png").unlink()
    with pytest.raises(DataError, match="1 images are too few to train on"):
        load(f"pairs:{tmp_path}", Options(skip_bad=True))


def test_a_few_stand_in_the_order_of_their_names(tmp_path: Path) -> None:
    for level in outside()[:9]:
        save(beside(level), tmp_path / f"{level}.png")
    first, again = load(f"pairs:{tmp_path}"), load(f"pairs:{tmp_path}")
    assert np.array_equal(first.train.x, again.train.x)
    assert first.train.x[:, 0, 0, 0].tolist() == [int(name.stem) for name in sorted(tmp_path.iterdir())]


# The cache


def test_pairs_and_single_pictures_of_one_folder_are_cached_apart(files: Path) -> None:
    single = load(f"folder:{files}", Options(image_size=16))
    assert single.spec == DataSpec("image", (1, 16, 16))
    assert everything(load(f"pairs:{files}", Options(image_size=16))) == TRUE


def test_a_changed_partner_changes_the_result(folders: Path) -> None:
    load(f"pairs:{folders}")
    save(flat(200), folders / "B" / "7.png")
    assert everything(load(f"pairs:{folders}")) == TRUE - {(7, 107)} | {(7, 200)}


def test_a_partner_that_changes_while_it_is_read_is_not_cached(
    folders: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode_all = cache.decode_all

    def meddle(*args: Any) -> Any:
        save(flat(200), folders / "B" / "7.png")
        return decode_all(*args)

    with monkeypatch.context() as patch:
        patch.setattr(cache, "decode_all", meddle)
        with pytest.raises(
            DataError, match=r"A/7\.png: its partner B/7\.png: changed while it was being read"
        ):
            load(f"pairs:{folders}")
    assert list(own_cache.rglob("*.npy")) == []


# What cannot be used


def test_an_odd_width_is_refused_by_name_or_skipped(files: Path) -> None:
    save(Image.new("L", (33, 16)), files / "0odd.png")
    save(Image.new("L", (6, 16)), files / "1narrow.png")
    (files / "2text.png").write_text("a diary")
    with pytest.raises(DataError) as caught:
        load(f"pairs:{files}")
    assert str(caught.value) == (
        f"pairs:{files}: 3 of 43 files cannot be used (first: 0odd.png: 33x16 pixels; an odd width cannot "
        "be cut into two equal halves); run 'simulacra data check "
        f"pairs:{files}' for the list; remove them, or train with --skip-bad"
    )
    assert check(f"pairs:{files}").bad == {
        "0odd.png": "33x16 pixels; an odd width cannot be cut into two equal halves",
        "1narrow.png": "halves of 3x16 pixels, too small",
        "2text.png": "not an image",
    }
    data = load(f"pairs:{files}", Options(skip_bad=True))
    assert data.spec.shape == (1, 16, 16)  # the others have no say
    assert everything(data) == TRUE


def test_partners_missing_or_of_another_size_or_damaged_are_all_listed(folders: Path) -> None:
    (folders / "A" / "3.png").unlink()
    (folders / "B" / "4.png").unlink()
    save(flat(5, (16, 20)), folders / "A" / "5.png")
    (folders / "B" / "6.png").write_text("a diary")
    (folders / "A" / "7.png").write_bytes(b"")
    save(flat(1), folders / "loose.png")
    save(flat(8), folders / "A" / "8.bmp")  # beside 8.png: which of them is meant?
    report = check(f"pairs:{folders}")
    missing = "no partner of this name in the other folder"
    assert report.bad == {
        "A/4.png": missing,
        "A/5.png": "16x20 pixels, but 16x16 its partner B/5.png",
        "A/6.png": "its partner B/6.png: not an image",
        "A/7.png": "empty file",
        "A/8.bmp": missing,
        "B/3.png": missing,
        "loose.png": missing,
    }
    assert not report.ok
    assert report.total == 42  # 40 names of which one each is of A and of B alone, and two more
    with pytest.raises(DataError, match=r"7 of 42 files cannot be used \(first: A/4.png: no partner"):
        load(f"pairs:{folders}")
    data = load(f"pairs:{folders}", Options(skip_bad=True))
    assert data.spec.shape == (1, 16, 16)
    assert everything(data) == {(a, b) for a, b in TRUE if a not in (3, 4, 5, 6, 7)}


def test_partners_that_lie_on_their_side_are_compared_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    for level in LEVELS:
        (tmp_path / "A").mkdir(exist_ok=True)
        flat(level, (16, 20)).save(tmp_path / "A" / f"{level}.png", exif=turned)
        save(flat(100 + level, (20, 16)), tmp_path / "B" / f"{level}.png")
    assert check(f"pairs:{tmp_path}").sizes == {"20x16": 40}
    assert everything(load(f"pairs:{tmp_path}")) == TRUE
    for i in range(40):
        save(flat(i), tmp_path / "A" / f"square{i}.png")
        save(flat(100 + i), tmp_path / "B" / f"square{i}.png")
    assert load(f"pairs:{tmp_path}").spec.shape == (1, 64, 64)  # for they are not all square


def test_two_folders_without_a_pair(tmp_path: Path) -> None:
    for level in LEVELS:
        save(flat(level), tmp_path / ("trainA" if level % 2 else "trainB") / f"{level}.png")
    for look in (load, check):
        with pytest.raises(DataError, match=r"no image in A has a partner.* use unpaired:"):
            look(f"pairs:{tmp_path}")


def test_a_folder_alone(folders: Path) -> None:
    for path in (folders / "B").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"all images are in 'A'.* in a folder 'B' beside it"):
        load(f"pairs:{folders}")


def test_no_path() -> None:
    with pytest.raises(DataError, match="no path is given; write pairs:PATH with a folder"):
        load("pairs")


def test_ordinary_photos_are_told_from_pairs(tmp_path: Path, files: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(20):
        save(
            Image.fromarray(rng.integers(0, 256, (24, 32), dtype=np.uint8)), tmp_path / "photos" / f"{i}.png"
        )
    notes = check(f"pairs:{tmp_path / 'photos'}").notes
    assert notes == ("halves of 16x24 are cropped to squares; is every file two images side by side?",)
    assert check(f"pairs:{files}").notes == ()


def test_check_tells_copies_and_the_target(files: Path, own_cache: Path) -> None:
    save(beside(7), files / "copy.bmp")
    # the same A with another B is another pair
    other = beside(8)
    other.paste(50, (16, 0, 32, 16))
    save(other, files / "other.bmp")
    report = check(f"pairs:{files}")
    assert report.ok
    assert (report.total, report.kind, report.shape) == (42, "image", (1, 16, 16))
    assert report.target == DataSpec("image", (1, 16, 16))
    assert report.sizes == {"16x16": 42}
    assert report.duplicates == (("7.png", "copy.bmp"),)
    assert report.notes == ("1 pair is duplicated, 2 files in all",)
    assert list(own_cache.iterdir()) == []
