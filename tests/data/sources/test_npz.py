from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulacra.data import Data, DataSpec, Options, load
from simulacra.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (40, 6, 8), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (40, 3, 6, 8), dtype=np.uint8)


def write(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    return f"npz:{path}"


def rows(data: Data) -> dict[bytes, tuple[Any, ...]]:
    """content -> (label, attributes), whatever the split."""
    found = {}
    for part in (data.train, data.validation, data.test):
        for i, x in enumerate(part.x):
            y = None if part.y is None else part.y[i]
            found[x.tobytes()] = (y, None if part.attributes is None else part.attributes[i].tolist())
    return found


def pairs(data: Data) -> dict[bytes, bytes]:
    """content -> target, whatever the split."""
    found = {}
    for part in (data.train, data.validation, data.test):
        assert part.target is not None
        found |= {x.tobytes(): t.tobytes() for x, t in zip(part.x, part.target, strict=True)}
    return found


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GREY, GREY[:, None]),
        (GREY[..., None], GREY[:, None]),
        (GREY[:, None], GREY[:, None]),
        (COLOUR, COLOUR),
        (COLOUR.transpose(0, 2, 3, 1), COLOUR),
        (COLOUR[:, :, :4, :4], COLOUR[:, :, :4, :4]),
        ((GREY / 255).astype(np.float32), GREY[:, None]),
        (GREY / 255, GREY[:, None]),
    ],
)
def test_layouts_of_images(array: np.ndarray, expected: np.ndarray, tmp_path: Path) -> None:
    data = load(write(tmp_path / "a.npz", images=array))
    assert data.spec.kind == "image"
    assert data.spec.shape == expected.shape[1:]
    assert data.train.x.dtype == np.uint8
    assert set(rows(data)) == {x.tobytes() for x in expected}


def test_rgba_lies_over_white(tmp_path: Path) -> None:
    x = RNG.integers(0, 256, (40, 8, 8, 4), dtype=np.uint8)
    x[:, 0, 0] = [255, 0, 0, 51]  # red, alpha 0.2
    data = load(write(tmp_path / "a.npz", images=x))
    assert (data.train.x[:, :, 0, 0] == [255, 204, 204]).all()


def test_vectors_are_float32(tmp_path: Path) -> None:
    x = RNG.normal(size=(40, 5))
    data = load(write(tmp_path / "a.npz", x=x))
    assert data.spec.kind == "vector"
    assert data.spec.shape == (5,)
    assert set(rows(data)) == {row.tobytes() for row in x.astype(np.float32)}


def test_the_only_array_may_have_any_name(tmp_path: Path) -> None:
    assert load(write(tmp_path / "a.npz", faces=GREY)).spec.shape == (1, 6, 8)


def test_labels_and_attributes_stay_with_their_images(tmp_path: Path) -> None:
    labels = RNG.integers(0, 3, 40) * 5
    attributes = RNG.normal(size=(40, 2))
    names = np.array(["age", "smile"])
    source = write(
        tmp_path / "a.npz", images=GREY, labels=labels, attributes=attributes, attribute_names=names
    )
    data = load(source)
    assert data.spec.classes == ("0", "5", "10")
    assert data.spec.attributes == ("age", "smile")
    assert data.train.y is not None
    assert data.train.y.dtype == np.int64
    found = rows(data)
    for x, label, values in zip(GREY, labels, attributes.astype(np.float32), strict=True):
        y, there = found[x.tobytes()]
        assert data.spec.classes[y] == str(label)
        assert there == values.tolist()


@pytest.mark.parametrize("kind", ["U", "S"])
def test_labels_may_be_strings(kind: str, tmp_path: Path) -> None:
    labels = np.array(["cat", "dog"] * 20).astype(kind)
    data = load(write(tmp_path / "a.npz", images=GREY, y=labels))
    assert data.spec.classes == ("cat", "dog")
    assert rows(data)[GREY[1].tobytes()][0] == 1


def test_attributes_without_names_are_numbered(tmp_path: Path) -> None:
    data = load(write(tmp_path / "a.npz", images=GREY, attributes=np.zeros((40, 2))))
    assert data.spec.attributes == ("attribute_0", "attribute_1")


def test_options_apply_and_crop_to_a_square(tmp_path: Path) -> None:
    x = np.zeros((40, 8, 16), np.uint8)
    x[:, :, 4:12] = np.arange(100, 140, dtype=np.uint8)[:, None, None]  # the middle square
    data = load(write(tmp_path / "a.npz", images=x), Options(image_size=4, channels=3))
    assert data.spec.shape == (3, 4, 4)
    assert {int(image.min()) for image in data.train.x} == {int(image.max()) for image in data.train.x}


VECTORS = RNG.normal(size=(40, 3))


def test_targets_of_numbers_stay_with_their_examples(tmp_path: Path) -> None:
    targets = RNG.normal(size=(40, 2))
    names = {"column_names": np.array(["a", "b", "c"]), "target_names": np.array(["u", "v"])}
    data = load(write(tmp_path / "a.npz", x=VECTORS, targets=targets, **names))
    assert data.spec.columns == ("a", "b", "c")
    assert data.spec.target == DataSpec("vector", (2,), columns=("u", "v"))
    assert data.train.target is not None
    assert data.train.target.dtype == np.float32
    expected = zip(VECTORS.astype(np.float32), targets.astype(np.float32), strict=True)
    assert pairs(data) == {x.tobytes(): t.tobytes() for x, t in expected}


def test_names_are_optional(tmp_path: Path) -> None:
    data = load(write(tmp_path / "a.npz", x=VECTORS, targets=VECTORS[:, :1] > 0))
    assert data.spec.columns == ()
    assert data.spec.target == DataSpec("vector", (1,))
    data = load(write(tmp_path / "a.npz", x=VECTORS))
    assert data.spec.target is None
    assert data.train.target is None


@pytest.mark.parametrize(("x", "key"), [(GREY, "images"), (VECTORS, "x")])
def test_targets_may_be_images(x: np.ndarray, key: str, tmp_path: Path) -> None:
    targets = COLOUR.transpose(0, 2, 3, 1) / 255
    data = load(write(tmp_path / "a.npz", **{key: x}, targets=targets))
    assert data.spec.target == DataSpec("image", (3, 6, 8))
    expected = x[:, None] if key == "images" else x.astype(np.float32)
    assert pairs(data) == {one.tobytes(): t.tobytes() for one, t in zip(expected, COLOUR, strict=True)}


def test_image_targets_are_brought_to_the_size_of_the_images(tmp_path: Path) -> None:
    x = np.zeros((40, 8, 16), np.uint8)
    x[:, :, 4:12] = np.arange(100, 140, dtype=np.uint8)[:, None, None]  # the middle square
    targets = 255 - np.repeat(x[:, None], 3, axis=1)
    source = write(tmp_path / "a.npz", images=x, targets=targets)
    data = load(source, Options(image_size=4))
    assert data.spec.shape == (1, 4, 4)
    assert data.spec.target == DataSpec("image", (3, 4, 4))
    t = data.train.target
    assert t is not None
    assert t.shape[1:] == (3, 4, 4)
    np.testing.assert_array_equal(t, 255 - np.repeat(data.train.x, 3, axis=1))
    assert 115 <= t.min() <= t.max() <= 155
    # channels are those of the examples
    data = load(source, Options(channels=3))
    assert data.spec.shape == (3, 8, 16)
    assert data.spec.target == DataSpec("image", (3, 8, 16))
    grey = load(write(tmp_path / "a.npz", images=targets, targets=x), Options(channels=1))
    assert grey.spec.shape == (1, 8, 16)
    assert grey.spec.target == DataSpec("image", (1, 8, 16))
    colour = load(write(tmp_path / "a.npz", images=x, targets=x), Options(channels=3))
    assert colour.spec.target == DataSpec("image", (1, 8, 16))


def test_images_of_vectors_have_a_size_but_vectors_no_channels(tmp_path: Path) -> None:
    source = write(tmp_path / "a.npz", x=VECTORS, targets=GREY)
    data = load(source, Options(image_size=4))
    assert data.spec.shape == (3,)
    assert data.spec.target == DataSpec("image", (1, 4, 4))
    with pytest.raises(DataError, match="no channels"):
        load(source, Options(channels=3))
    # the other way round
    data = load(write(tmp_path / "a.npz", images=GREY, targets=VECTORS), Options(image_size=4, channels=3))
    assert data.spec.shape == (3, 4, 4)
    assert data.spec.target == DataSpec("vector", (3,))
    with pytest.raises(DataError, match="no image size"):
        load(write(tmp_path / "a.npz", x=VECTORS, targets=VECTORS), Options(image_size=4))


def test_one_number_of_a_target_may_be_constant(tmp_path: Path) -> None:
    targets = VECTORS * [1, 0, 1]
    assert load(write(tmp_path / "a.npz", x=VECTORS, targets=targets)).spec.target is not None


def test_the_split_does_not_depend_on_the_size(tmp_path: Path) -> None:
    source = write(tmp_path / "a.npz", images=GREY, y=np.arange(40))
    small, large = load(source, Options(image_size=4)), load(source, Options(image_size=32))
    assert small.test.y is not None
    assert large.test.y is not None
    assert small.test.y.tolist() == large.test.y.tolist()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"images": GREY.astype(np.float32)}, "'images' has values from 0 to 255; images are uint8"),
    ({"images": GREY / 255 - 0.5}, "'images' has values from -0.5"),
    ({"images": np.where(GREY > 9, np.nan, 0.5)}, "'images' holds NaN"),
    ({"images": GREY.astype(np.int64)}, "'images' has type int64"),
    ({"images": GREY.astype(str)}, "'images' has type <U3, not numbers"),
    ({"images": GREY.astype(complex)}, "not numbers"),
    ({"images": GREY[:0]}, "is empty"),
    ({"images": GREY[:, :3]}, "'images' has shape"),
    ({"images": np.zeros((9, 2, 8, 8), np.uint8)}, "'images' has shape"),
    ({"images": np.zeros(9, np.uint8)}, "'images' has shape"),
    ({"images": np.array([{}, None], object)}, "'images' holds Python objects"),
    ({"x": np.full((9, 2), np.inf)}, "'x' holds values that are NaN, infinite"),
    ({"x": np.full((9, 2), 1e300)}, "too large"),
    ({"a": GREY, "b": GREY}, "no array 'images' or 'x', only 'a', 'b'"),
    ({}, "only nothing"),
    ({"images": GREY, "labels": np.zeros(39, int)}, "'labels' has shape"),
    ({"images": GREY, "y": np.zeros((40, 1), int)}, "'y' has shape"),
    ({"images": GREY, "y": np.zeros(40)}, "'y' has type float64"),
    ({"images": GREY, "attributes": np.zeros((39, 2))}, "'attributes' has shape"),
    ({"images": GREY, "attributes": np.full((40, 2), np.nan)}, "'attributes' holds values that are NaN"),
    ({"images": GREY, "attributes": np.zeros((40, 2)), "attribute_names": np.array(["a"])}, "2 different"),
    (
        {"images": GREY, "attributes": np.zeros((40, 2)), "attribute_names": np.array(["a", "a"])},
        "2 different",
    ),
    ({"x": VECTORS, "targets": VECTORS[:39]}, "'targets' has shape .39, 3.; it must hold 40 targets"),
    ({"x": VECTORS, "targets": np.float32(3)}, "'targets' has shape .*; it must hold 40 targets"),
    (
        {"x": VECTORS, "targets": VECTORS[:, 0]},
        r"'targets' has shape .40,.; reshape it to .40, 1.: t",
    ),
    ({"x": VECTORS, "targets": VECTORS.astype(str)}, "'targets' has type <U32, not numbers"),
    ({"x": VECTORS, "targets": VECTORS[:, :0]}, "'targets' has shape .40, 0., which is empty"),
    ({"x": VECTORS, "targets": np.where(VECTORS > 0, np.nan, 1)}, "'targets' holds values that are NaN"),
    ({"x": VECTORS, "targets": GREY[:, :3]}, "'targets' has shape"),
    ({"x": VECTORS, "targets": GREY * 2.0}, "'targets' has values from"),
    ({"x": VECTORS, "targets": np.ones((40, 3))}, "'targets' holds the same target .* nothing to learn"),
    ({"images": GREY, "targets": GREY[:1].repeat(40, axis=0)}, "'targets' holds the same target"),
    ({"x": VECTORS, "column_names": np.array(["a", "b"])}, "'column_names' must hold 3 different strings"),
    ({"x": VECTORS, "column_names": np.array(["a", "b", "a"])}, "'column_names' must hold 3 different"),
    ({"x": VECTORS, "column_names": np.arange(3)}, "'column_names' must hold 3 different strings"),
    ({"images": GREY, "column_names": np.array(["a"])}, "'column_names' names .* 'images' holds images"),
    ({"x": VECTORS, "targets": VECTORS, "target_names": np.array(["a"])}, "'target_names' must hold 3"),
    ({"x": VECTORS, "targets": GREY, "target_names": np.array(["a"])}, "but 'targets' holds images"),
    ({"x": VECTORS, "target_names": np.array(["a"])}, "'target_names' names .* 'targets', which is missing"),
]


@pytest.mark.parametrize(("arrays", "message"), BAD)
def test_wrong_arrays_are_named(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    source = write(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=message) as caught:
        load(source)
    assert str(caught.value).startswith(f"{source}: ")


def test_wrong_files(tmp_path: Path) -> None:
    whole = Path(write(tmp_path / "a.npz", images=GREY).removeprefix("npz:"))
    with pytest.raises(DataError, match="no file"):
        load(f"npz:{tmp_path / 'nowhere.npz'}")
    with pytest.raises(DataError, match="no file"):
        load("npz")
    with pytest.raises(DataError, match="is a folder"):
        load(f"npz:{tmp_path}")
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"not a complete \.npz"):
        load(f"npz:{cut}")
    np.save(tmp_path / "a.npy", GREY)
    with pytest.raises(DataError, match=r"not a complete \.npz"):
        load(f"npz:{tmp_path / 'a.npy'}")
    flipped = bytearray(whole.read_bytes())
    flipped[500] ^= 255
    cut.write_bytes(flipped)
    with pytest.raises(DataError, match="array 'images' is damaged"):
        load(f"npz:{cut}")


def test_vectors_have_no_size(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image size"):
        load(write(tmp_path / "a.npz", x=np.zeros((40, 2)) + np.arange(40)[:, None]), Options(image_size=8))


@pytest.mark.parametrize(
    "options", [{"image_size": 3}, {"image_size": -64}, {"image_size": 10**6}, {"channels": 2}]
)
def test_impossible_options(options: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="choose"):
        Options(**options)
