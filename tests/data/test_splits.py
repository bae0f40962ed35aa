from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulacra.data import SPLITS, Data, Options, load
from simulacra.data.splits import (
    block_places,
    group_index,
    group_places,
    named_splits,
    places,
    text_share,
    time_places,
)
from simulacra.errors import DataError


def shares(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(n)


@pytest.mark.parametrize("n", [20, 999, 5000, 12_345, 100_000])
def test_validation_blocks_separate_test_from_training(n: int) -> None:
    place = block_places(n)
    assert np.bincount(place) / n == pytest.approx([0.8, 0.1, 0.1], abs=max(0.01, 1 / n))
    starts = np.flatnonzero(np.diff(place)) + 1
    neighbours = {(int(place[i - 1]), int(place[i])) for i in starts}
    assert neighbours <= {(0, 1), (1, 2), (2, 1), (1, 0)}
    if n >= 5000:
        # every validation block is at least 250 rows long
        lengths = np.diff([0, *starts, n])
        assert lengths[place[[0, *starts]] == 1].min() >= 249


def test_blocks_of_a_long_source_are_spread_over_it() -> None:
    test = np.flatnonzero(block_places(50_000) == 2)
    assert {int(row // 5000) for row in test} == set(range(10))


def test_the_end_of_a_source_is_its_test_split_by_time() -> None:
    place = time_places(100)
    assert (np.diff(place) >= 0).all()
    assert np.bincount(place).tolist() == [80, 10, 10]


def test_a_group_is_in_one_split_and_no_split_is_empty() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        cells = [f"{seed}-{g}" for g in rng.integers(rng.integers(3, 30), size=200)]
        if len(set(cells)) < 3:
            continue
        names, index = group_index("person", cells)
        for place in (group_places(names, index), time_places(200, (names, index))):
            assert set(place.tolist()) == {0, 1, 2}
            assert all(len(set(place[index == g].tolist())) == 1 for g in range(len(names)))


def test_a_group_of_many_stays_where_it_is_when_groups_are_added() -> None:
    cells = [f"person {i}" for i in range(200)]
    before = group_places(*group_index("person", cells))
    after = group_places(*group_index("person", [*cells, *(f"new {i}" for i in range(50))]))
    assert np.array_equal(after[:200], before)
    assert before.tolist() == np.digitize([text_share(cell) for cell in cells], (0.8, 0.9)).tolist()


def test_two_groups_are_too_few_for_three_splits() -> None:
    with pytest.raises(DataError, match="group 'side' has 2 values \\('left', 'right'\\)"):
        group_index("side", ["left", "right", "left"])


def test_a_column_names_the_splits() -> None:
    assert named_splits("part", ["Train", "valid", "TEST"]).tolist() == [0, 1, 2]
    with pytest.raises(DataError, match="column 'part', row 2: 'tran' is not a split, did you mean 'train'"):
        named_splits("part", ["train", "tran"])
    with pytest.raises(DataError, match="no row says 'train'"):
        named_splits("part", ["test", "test"])


def test_the_hash_is_the_default() -> None:
    s = shares(1000)
    assert np.array_equal(places(s, Options()), np.digitize(s, (0.8, 0.9)))


def test_wrong_options_are_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match="no split by 'block', did you mean 'blocks'"):
        Options(split="block")
    with pytest.raises(DataError, match="cannot be combined with split blocks"):
        Options(split="blocks", group="person")
    with pytest.raises(DataError, match="--split does not apply here"):
        load("digits", Options(split="time"))


@pytest.fixture
def table(tmp_path: Path) -> str:
    """400 rows of 20 people; a column says which split."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    lines = ["a,b,person,part"]
    for i, (a, b) in enumerate(x):
        lines.append(f"{a:.4f},{b:.4f},p{i % 20},{SPLITS[i % 3]}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return f"csv:{tmp_path}/t.csv"


def rows(data: Data) -> list[np.ndarray]:
    parts = [data.split(split).rows for split in SPLITS]
    assert all(part is not None for part in parts)
    return [part for part in parts if part is not None]


def test_columns_of_a_table_that_split_it_are_no_inputs(tmp_path: Path, table: str) -> None:
    text = (tmp_path / "t.csv").read_text().splitlines()
    (tmp_path / "people.csv").write_text("\n".join(line.rpartition(",")[0] for line in text))
    data = load(f"csv:{tmp_path}/people.csv", Options(group="person"))
    assert data.spec.columns == ("a", "b")
    people = [{int(row) % 20 for row in part} for part in rows(data)]
    assert all(people)
    assert sum(map(len, people)) == 20
    (tmp_path / "parts.csv").write_text(
        "\n".join(",".join(np.array(line.split(","))[[0, 1, 3]]) for line in text)
    )
    data = load(f"csv:{tmp_path}/parts.csv", Options(split="column:part"))
    assert data.spec.columns == ("a", "b")
    assert [set((part % 3).tolist()) for part in rows(data)] == [{0}, {1}, {2}]
    with pytest.raises(DataError, match="no group column 'persn', did you mean 'person'"):
        load(f"csv:{tmp_path}/people.csv", Options(group="persn"))
    with pytest.raises(DataError, match="cannot group the rows"):
        load(f"csv:{tmp_path}/people.csv", Options(target="person", group="person"))


def test_arrays_of_an_archive_split_it(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(300, 2))
    np.savez(tmp_path / "a.npz", x=x, person=np.arange(300) % 10)
    data = load(f"npz:{tmp_path}/a.npz", Options(group="person"))
    people = [set((part % 10).tolist()) for part in rows(data)]
    assert sum(map(len, people)) == 10
    blocks = load(f"npz:{tmp_path}/a.npz", Options(split="blocks"))
    assert [len(part) for part in rows(blocks)] == [240, 30, 30]
    with pytest.raises(DataError, match="no array 'persn', did you mean 'person'"):
        load(f"npz:{tmp_path}/a.npz", Options(group="persn"))
