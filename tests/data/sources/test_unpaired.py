"""ImageFiles of two domains: their names, their order, their splits, and what is no pair of domains."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.data import Data, Options, load
from simulacra.data.check import check
from simulacra.data.images.decode import content_share
from simulacra.data.spec import SPLITS, DataSpec
from simulacra.errors import DataError


def flat(level: int) -> Image.Image:
    return Image.new("L", (16, 16), level)


def fill(folder: Path, levels: Iterable[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for level in levels:
        flat(level).save(folder / f"{level}.png")


def domain(data: Data, split: str, name: str) -> set[int]:
    """The levels of the images of one domain in one split."""
    part = data.split(split)
    assert part.y is not None
    return set(part.x[part.y == data.spec.classes.index(name), 0, 0, 0].tolist())


def same(a: Data, b: Data) -> bool:
    return a.spec == b.spec and all(
        np.array_equal(a.split(s).x, b.split(s).x) and np.array_equal(a.split(s).y, b.split(s).y)  # type: ignore[arg-type]  # never None
        for s in SPLITS
    )


# Two domains of unequal size: horses have the levels below 100, zebras those from 100 on.
HORSES, ZEBRAS = range(60), range(100, 180)


@pytest.mark.parametrize("form", ["{split}{side}", "wrap/{split}{side}", "{side}/{split}", "{split}/{side}"])
def test_domains_and_splits_from_the_folders(form: str, tmp_path: Path) -> None:
    levels = {"A": {"train": (1, 2, 3), "val": (4,), "test": (5,)}, "B": {"train": (11,), "test": (12, 13)}}
    for side, splits in levels.items():
        for split, those in splits.items():
            fill(tmp_path / form.format(side=side, split=split), those)
    data = load(f"unpaired:{tmp_path}")
    assert data.spec == DataSpec("image", (1, 16, 16), classes=("A", "B"))
    assert [domain(data, split, "A") for split in SPLITS] == [{1, 2, 3}, {4}, {5}]
    assert [domain(data, split, "B") for split in SPLITS] == [{11}, set(), {12, 13}]


def test_two_folders_of_any_names(tmp_path: Path) -> None:
    fill(tmp_path / "zebras", ZEBRAS)
    fill(tmp_path / "horses" / "deep", HORSES)
    data = load(f"unpaired:{tmp_path}")
    assert data.spec.classes == ("horses", "zebras")
    for name, levels in (("horses", HORSES), ("zebras", ZEBRAS)):
        parts = [domain(data, split, name) for split in SPLITS]
        assert set().union(*parts) == set(levels)
        # 80 / 10 / 10 of each domain, by content
        expected = [int(np.digitize(content_share(flat(level)), (0.8, 0.9))) for level in levels]
        assert list(map(len, parts)) == np.bincount(expected, minlength=3).tolist()
        assert len(parts[0]) > len(parts[1]) + len(parts[2]) > 0


def test_train_a_and_train_b_alone_are_cut_by_content(tmp_path: Path) -> None:
    fill(tmp_path / "trainA", HORSES)
    fill(tmp_path / "trainB", ZEBRAS)
    data = load(f"unpaired:{tmp_path}")
    assert data.spec.classes == ("A", "B")
    for name, levels in (("A", HORSES), ("B", ZEBRAS)):
        assert all(domain(data, split, name) for split in SPLITS)
        assert set().union(*(domain(data, split, name) for split in SPLITS)) == set(levels)


def test_it_is_labelled_data_and_labelled_data_are_two_domains(tmp_path: Path) -> None:
    fill(tmp_path / "trainA", HORSES)
    fill(tmp_path / "trainB", ZEBRAS)
    fill(tmp_path / "testA", (200,))
    assert same(load(f"unpaired:{tmp_path}"), load(f"folder:{tmp_path}"))


def test_labels_csv_names_the_domains(tmp_path: Path) -> None:
    fill(tmp_path, range(40))
    rows = [f"{i}.png,{'night' if i % 2 else 'day'},{i}" for i in range(40)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,hour", *rows]))
    data = load(f"unpaired:{tmp_path}")
    assert data.spec.classes == ("day", "night")
    assert data.spec.attributes == ("hour",)
    assert all(level % 2 == 0 for level in domain(data, "train", "day"))
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    for look in (load, lambda source: check(source).problems[0] and load(source)):
        with pytest.raises(DataError, match=r"labels.csv: line 2: 3 values, but 2 columns \(and 39 more"):
            look(f"unpaired:{tmp_path}")


def test_three_pictures_a_domain_can_be_trained_on(tmp_path: Path) -> None:
    held_out = [level for level in range(256) if content_share(flat(level)) >= 0.8]
    fill(tmp_path / "A", held_out[:3])
    fill(tmp_path / "B", [*range(3), *held_out[3:6]])
    data = load(f"unpaired:{tmp_path}")
    # content leaves A nothing to train on, B something
    assert domain(data, "train", "A") == set(held_out[:3])
    assert domain(data, "train", "B").isdisjoint(held_out)
    assert domain(data, "validation", "B") | domain(data, "test", "B") >= set(held_out[3:6])
    report = check(f"unpaired:{tmp_path}")
    assert report.splits == {split: len(data.split(split)) for split in SPLITS}
    assert report.classes == {"A": 3, "B": 6}


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("horses zebras cows", "here are 3: cows, horses, zebras"),
        ("a b c d e f g", "here are 7: a, b, c, d, e, f, ..."),
        ("horses", "here all images are in one folder"),
        ("train test", "here all images are in one folder"),
        ("horses/train horses/test", "here all images are in one folder"),
        ("train/horses test/horses", "here all images are in one folder"),
        ("horses zebras .", "9 images are in no folder (first: 0.png)"),
    ],
)
def test_other_than_two_domains_are_refused(names: str, found: str, tmp_path: Path) -> None:
    for name in names.split():
        fill(tmp_path / name, range(9))
    for look in (load, check):
        with pytest.raises(DataError) as caught:
            look(f"unpaired:{tmp_path}")
        assert str(caught.value) == (
            f"unpaired:{tmp_path}: needs two folders of images, such as trainA and trainB, or horses "
            f"and zebras; {found}"
        )


def test_a_domain_without_training_pictures(tmp_path: Path) -> None:
    fill(tmp_path / "trainA", HORSES)
    fill(tmp_path / "testB", ZEBRAS)
    for look in (load, check):
        with pytest.raises(DataError, match="no folder holds training images of 'B'"):
            look(f"unpaired:{tmp_path}")


def test_a_domain_of_nothing_but_bad_files(tmp_path: Path) -> None:
    fill(tmp_path / "A", HORSES)
    (tmp_path / "B").mkdir()
    (tmp_path / "B" / "1.png").write_text("a diary")
    with pytest.raises(DataError, match=r"1 of 61 files cannot be used \(first: B/1.png: not an image\)"):
        load(f"unpaired:{tmp_path}")
    with pytest.raises(DataError, match="no example of 'B' is left to train on; add more"):
        load(f"unpaired:{tmp_path}", Options(skip_bad=True))
