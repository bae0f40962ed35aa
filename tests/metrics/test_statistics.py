"""Statistics of a set: computed once, found again by content, and made again when damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from simulacra.errors import ConfigError, DataError
from simulacra.metrics.features import load_extractor
from simulacra.metrics.statistics import Statistics, as_examples

X = np.random.default_rng(0).integers(0, 256, size=(30, 1, 4, 4)).astype(np.uint8)


class Counting:
    """Twice the numbers; counts what it looks at."""

    name, size, resize = "counting", None, "none"

    def __init__(self, weights: str = "w") -> None:
        self.weights, self.seen = weights, 0

    def features(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        return 2 * x.flatten(1)

    def probabilities(self, x: Tensor) -> Tensor | None:
        return x.flatten(1).softmax(dim=1)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "cache" / "statistics"


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def test_features_moments_and_neighbours_are_those_of_the_examples() -> None:
    found = Statistics(X, Counting(), classes=True)
    expected = 2 * X.reshape(30, -1).astype(np.float32) / 255
    np.testing.assert_allclose(found.features, expected, rtol=1e-6)
    np.testing.assert_allclose(found.moments.covariance, np.cov(expected, rowvar=False), rtol=1e-5, atol=1e-7)
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-6)
    index, distance = found.others()
    np.testing.assert_allclose(found.radii(1), distance)
    gaps = np.linalg.norm(expected - expected[index], axis=1)
    np.testing.assert_allclose(distance, gaps, rtol=1e-6)
    assert Statistics(X, Counting()).probabilities is None


def test_arrays_that_cannot_be_written_are_looked_at() -> None:
    fixed = X.copy()
    fixed.setflags(write=False)
    assert Statistics(fixed, Counting()).features.shape == (30, 16)
    assert Statistics(fixed.reshape(30, 16), Counting()).features.max() > 255


def test_one_look_is_enough() -> None:
    extractor = Counting()
    found = Statistics(X, extractor, classes=True)
    _ = found.features, found.probabilities, found.moments, found.radii(3), found.others(), found.features
    assert extractor.seen == 30


def test_moments_alone_hold_no_features(folder: Path) -> None:
    found = Statistics(X, Counting(), keep=True)
    alone = found.moments
    assert "features" not in vars(found)
    assert [f.name.split(".")[1] for f in files(folder)] == ["moments"]
    whole = Statistics(X, Counting("other"))
    _ = whole.features
    np.testing.assert_allclose(alone.scatter, whole.moments.scatter, rtol=1e-12)


def ask(x: np.ndarray = X, weights: str = "w", keep: bool = True) -> tuple[np.ndarray, ...]:
    """Everything, and how many examples it took to look at."""
    extractor = Counting(weights)
    found = Statistics(x, extractor, keep=keep)
    m = found.moments
    numbers = (m.mean, m.scatter, np.array(m.count), found.features, found.radii(2), *found.others())
    return (*numbers, np.array(extractor.seen))


def test_the_second_time_nothing_is_computed(folder: Path) -> None:
    first, second = ask(), ask()
    assert (first[-1], second[-1]) == (60, 0)
    for a, b in zip(first[:-1], second[:-1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(files(folder)) == 4
    assert not [f for f in files(folder) if f.name.endswith(".tmp")]


def test_other_examples_or_weights_are_other_statistics() -> None:
    ask()
    changed = X.copy()
    changed[3, 0, 1, 2] ^= 1
    for x, weights in ((changed, "w"), (X[:-1], "w"), (X.reshape(30, 1, 2, 8), "w"), (X, "v")):
        assert ask(x, weights)[-1] == 2 * len(x)


@pytest.mark.parametrize("damage", ["cut", "bit", "junk", "empty", "folder"])
def test_damaged_files_are_made_again(folder: Path, damage: str) -> None:
    expected = ask()
    for file in files(folder):
        content = bytearray(file.read_bytes())
        if damage == "cut":
            file.write_bytes(content[:-5])
        elif damage == "bit":
            content[-3] ^= 1
            file.write_bytes(content)
        elif damage == "folder":
            file.unlink()
            file.mkdir()
        else:
            file.write_bytes(b"" if damage == "empty" else b"junk" * 100)
    again = ask()
    for a, b in zip(expected, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert ask()[-1] == (60 if damage == "folder" else 0)


def test_raw_numbers_and_unnamed_weights_are_not_kept(folder: Path) -> None:
    _ = Statistics(X, load_extractor("raw"), keep=True).features
    ask(weights="")
    ask(keep=False)
    assert files(folder) == []


def test_without_a_folder_it_is_computed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULACRA_DATA", "/dev/null")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert ask()[-1] == 60


def test_a_full_disk_does_not_matter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    assert ask()[-1] == 60
    assert files(folder) == []


def test_examples_become_bytes_or_floats() -> None:
    x = torch.tensor([-1.0, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 7.0]).view(1, 1, 2, 3)
    assert as_examples(x).ravel().tolist() == [0, 0, 0, 1, 255, 255]
    bytes_ = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    np.testing.assert_array_equal(as_examples(bytes_.float() / 255), bytes_.numpy())
    assert as_examples(X) is X
    vectors = as_examples(np.array([[300.0, -2.5]]))
    assert (vectors.dtype, vectors.tolist()) == (np.float32, [[300.0, -2.5]])


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="expected images"):
        as_examples(np.zeros(shape))


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ConfigError, match="int64"):
        as_examples(np.zeros((1, 1, 2, 2), np.int64))
    with pytest.raises(DataError, match="there are none"):
        as_examples(np.zeros((0, 2)))
    with pytest.raises(DataError, match="NaN or infinite"):
        as_examples(torch.tensor([[0.0, torch.inf]]))
    with pytest.raises(DataError, match="NaN or infinite"):
        as_examples(torch.full((1, 1, 2, 2), torch.nan))
