from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simulacra.data import SPLITS, Data, Options, load
from simulacra.data.check import check
from simulacra.data.leaks import leak
from simulacra.data.near_duplicates import clusters, keep_together, near_copies, thumbnails
from simulacra.data.spec import Dataset, DataSpec
from simulacra.data.splits import split_data
from simulacra.errors import DataError


def faces(n: int) -> np.ndarray:
    data = load(f"faces:{n}")
    x = np.concatenate([data.split(split).x for split in SPLITS])
    rows = np.concatenate([data.split(split).rows for split in SPLITS])
    return np.asarray(x[np.argsort(rows)])


def encoded(x: np.ndarray) -> np.ndarray:
    """As JPEG of quality 70."""
    file = BytesIO()
    Image.fromarray(x.transpose(1, 2, 0)).save(file, "JPEG", quality=70)
    with Image.open(file) as image:
        return np.asarray(image).transpose(2, 0, 1)


def shifted(x: np.ndarray) -> np.ndarray:
    """A pixel to the right and down, the border repeated."""
    return np.pad(x[:, :-1, :-1], ((0, 0), (1, 0), (1, 0)), mode="edge")


def brighter(x: np.ndarray) -> np.ndarray:
    return np.clip(x * 1.1 + 5, 0, 255).astype(np.uint8)


def cropped(x: np.ndarray) -> np.ndarray:
    image = Image.fromarray(x[:, 1:-1, 1:-1].transpose(1, 2, 0))
    return np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


@pytest.mark.parametrize("change", [encoded, shifted, brighter, cropped, lambda x: shifted(encoded(x))])
def test_changed_images_are_near_copies_and_others_are_not(change: object) -> None:
    x = faces(60)
    copies = np.stack([change(one) for one in x])  # type: ignore[operator]
    found = near_copies(thumbnails(np.concatenate([x, copies])))
    pairs = {(i, j) for i, j in found.tolist()}
    assert len(pairs & {(i, i + 60) for i in range(60)}) >= 59
    assert len(pairs - {(i, i + 60) for i in range(60)}) <= 1


@pytest.mark.parametrize("source", ["digits", "faces:1000"])
def test_simple_pictures_are_no_copies(source: str) -> None:
    data = load(source, Options(image_size=32) if source == "digits" else None)
    x = np.concatenate([data.split(split).x for split in SPLITS])
    assert len(near_copies(thumbnails(x))) <= 2


def test_flat_and_tiny_images_are_left_alone() -> None:
    flat = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 32, 32), np.uint8)
    assert len(near_copies(thumbnails(flat))) == 0
    tiny = np.random.default_rng(0).integers(0, 256, (20, 1, 8, 8), dtype=np.uint8)
    assert len(near_copies(thumbnails(np.concatenate([tiny, tiny])))) == 0


def test_a_cluster_has_one_share_and_keeps_it_when_images_are_added() -> None:
    shares = np.array([0.9, 0.3, 0.5, 0.7])
    pairs = np.array([[0, 2], [2, 3]])
    before = keep_together(shares, clusters(4, pairs, shares))
    assert len({before[0], before[2], before[3]}) == 1
    assert before[1] == 0.3
    more = np.append(shares, 0.8)
    after = keep_together(more, clusters(5, np.concatenate([pairs, [[3, 4]]]), more))
    assert after.tolist() == [*before, before[0]]


def test_clusters_are_dealt_to_splits_as_single_images_are() -> None:
    shares = np.random.default_rng(0).random(3000)
    together = keep_together(shares, np.arange(3000) // 3 * 3)
    counts = np.bincount(np.digitize(together, (0.8, 0.9)))
    assert counts / 3000 == pytest.approx([0.8, 0.1, 0.1], abs=0.03)


def test_a_video_is_not_one_cluster() -> None:
    chain = np.stack([np.arange(999), np.arange(1, 1000)], axis=1)
    sizes = np.bincount(clusters(1000, chain, np.random.default_rng(0).random(1000)))
    assert sizes.max() <= 3
    # every image resembles every other: nothing can be kept together
    every = np.stack(np.triu_indices(100, 1), axis=1)
    assert np.bincount(clusters(100, every, np.random.default_rng(0).random(100))).max() == 1


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """50 faces, three near-copies of each."""
    x = faces(50)
    for i, one in enumerate(x):
        for k, copy in enumerate([one, shifted(encoded(one)), brighter(one)]):
            Image.fromarray(copy.transpose(1, 2, 0)).save(tmp_path / f"{i:02}-{k}.png")
    return tmp_path


def faces_of(data: Data, split: str) -> set[str]:
    rows = data.split(split).rows
    assert rows is not None
    return {data.names[row].partition("-")[0] for row in rows}


def test_near_copies_share_a_split(copied: Path) -> None:
    data = load(f"folder:{copied}")
    parts = [faces_of(data, split) for split in SPLITS]
    assert all(parts)
    assert sum(map(len, parts)) == 50
    assert leak(data, Options()) is None
    report = check(f"folder:{copied}")
    assert report.splits == {split: len(data.split(split)) for split in SPLITS}
    assert "150 images are near-copies of others, in 50 groups; each shares a split" in report.notes
    x = np.concatenate([data.split(split).x for split in SPLITS])
    np.savez(copied / "a.npz", images=x.transpose(0, 2, 3, 1))
    archive = load(f"npz:{copied}/a.npz")
    assert archive.copies is not None
    assert len(archive.copies) >= 100
    assert leak(archive, Options()) is None


def test_near_copies_in_given_splits_are_reported(copied: Path) -> None:
    for name in ("train", "test"):
        (copied / name).mkdir()
    for file in copied.glob("*.png"):
        file.rename(copied / ("test" if file.stem.endswith("-2") else "train") / file.name)
    found = leak(load(f"folder:{copied}"), Options())
    assert found is not None
    # those of a few faces are in the validation split
    assert re.match("9[0-9]% of the test images have a near-copy among the training images", found)
    assert found in check(f"folder:{copied}").notes


def test_groups_of_files(copied: Path) -> None:
    people = ["file,person,part"]
    for i, file in enumerate(sorted(copied.glob("*.png"))):
        people.append(f"{file.name},p{i % 7},{SPLITS[i % 3]}")
    (copied / "labels.csv").write_text("\n".join(people))
    data = load(f"folder:{copied}", Options(group="person"))
    rows = [data.split(split).rows for split in SPLITS]
    assert sum(len({int(row) % 7 for row in part}) for part in rows if part is not None) == 7
    named = load(f"folder:{copied}", Options(split="column:part")).test.rows
    assert named is not None
    assert {int(row) % 3 for row in named} == {2}
    assert sum(check(f"folder:{copied}", Options(group="person")).splits.values()) == 150
    for options in (Options(group="persn"), Options(split="column:parts")):
        for call in (load, check):
            with pytest.raises(DataError, match=r"labels.csv has no column 'p.*', did you mean 'p"):
                call(f"folder:{copied}", options)  # type: ignore[operator]


def test_folders_as_groups_are_not_classes(copied: Path) -> None:
    for file in list(copied.glob("*.png")):
        folder = copied / f"p{int(file.stem[:2]) % 10}"
        folder.mkdir(exist_ok=True)
        file.rename(folder / file.name)
    assert len(load(f"folder:{copied}").spec.classes) == 10
    data = load(f"folder:{copied}", Options(group="folder"))
    assert data.spec.classes == ()
    parts = []
    for split in SPLITS:
        rows = data.split(split).rows
        assert rows is not None
        parts.append({data.names[row].partition("/")[0] for row in rows})
    assert all(parts)
    assert sum(map(len, parts)) == 10


def test_time_goes_by_the_numbers_in_file_names(tmp_path: Path) -> None:
    for i in range(30):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (16, 16), np.uint8)).save(
            tmp_path / f"frame{i}.png"
        )
    data = load(f"folder:{tmp_path}", Options(split="time"))
    assert data.test.rows is not None
    assert {data.names[row] for row in data.test.rows} == {"frame27.png", "frame28.png", "frame29.png"}


def made(x: np.ndarray, target: np.ndarray | None = None, options: Options = Options()) -> Data:  # noqa: B008
    t = None if target is None else target.astype(np.float32)
    spec = DataSpec("vector", x.shape[1:], target=None if t is None else DataSpec("vector", t.shape[1:]))
    return split_data("made", Dataset(spec, x.astype(np.float32), target=t), options)


def autoregression(n: int, columns: int, rho: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    e = rng.normal(size=(n, columns))
    x = np.zeros((n, columns))
    for i in range(1, n):
        x[i] = rho * x[i - 1] + np.sqrt(1 - rho**2) * e[i]
    return x


@pytest.mark.parametrize("seed", range(36))
def test_independent_rows_raise_no_alarm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, columns = int(rng.choice([250, 1000, 3000])), int(rng.choice([1, 2, 5, 20]))
    x = rng.normal(size=(n, columns))
    match seed % 6:
        case 1:
            x = np.round(x * rng.choice([0.7, 1, 2, 4]))
        case 2:
            x = np.exp(2 * x)
        case 3:
            x = x[np.argsort(x[:, 0])]
        case 4:
            x = np.concatenate([x, rng.random((n, 3)) < 0.3], axis=1)
        case 5:
            x = x + 10 * rng.normal(size=(20, columns))[rng.integers(20, size=n)]
    assert leak(made(x), Options()) is None


SOURCES = ["iris", "wine", "diabetes", "breast-cancer", "digits", "moons:3000", "robot-arm:3000", "faces:200"]


@pytest.mark.parametrize("source", SOURCES)
def test_sources_of_independent_examples_raise_no_alarm(source: str) -> None:
    assert leak(load(source), Options()) is None


@pytest.mark.parametrize(("rho", "columns"), [(0.9, 8), (0.99, 4), (0.999, 3)])
def test_recordings_raise_an_alarm_until_they_are_split_in_blocks(rho: float, columns: int) -> None:
    x = autoregression(3000, columns, rho, seed=0)
    found = leak(made(x), Options())
    assert found is not None
    assert "within 10 rows of the file, as in a recording" in found
    assert "--split blocks" in found
    assert "\n" not in found
    assert leak(made(x, options=Options(split="blocks")), Options()) is None


def test_an_independent_target_of_a_recording_raises_an_alarm() -> None:
    x = autoregression(3000, 2, 0.99, seed=0)
    assert leak(made(x[:, :1], x[:, 1:]), Options()) is not None


def test_scattered_copies_of_rows_raise_an_alarm() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(500, 5)), 3, axis=0) + 0.02 * rng.normal(size=(1500, 5))
    found = leak(made(x[rng.permutation(1500)]), Options())
    assert found is not None
    assert "near-copies of a training row" in found


def test_a_file_that_is_sorted_by_a_score_is_said_to_be_sorted() -> None:
    rng = np.random.default_rng(0)
    score = np.sort(rng.integers(0, 100, 1500))
    x = np.column_stack([score, score[:, None] + 0.1 * rng.normal(size=(1500, 3))])
    found = leak(made(x), Options())
    assert found is not None
    assert found.endswith(
        "; the file is sorted by 'x_1': shuffle its rows if their order means nothing, else use --split "
        "blocks or --group"
    )
    # a time rises in every recording
    recording = np.column_stack([np.arange(3000), autoregression(3000, 4, 0.99, seed=0)])
    assert "sorted" not in (leak(made(recording), Options()) or "sorted")
