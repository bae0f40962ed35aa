from __future__ import annotations

import gzip
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from simulacra.data import Options, load
from simulacra.data.sources import idx
from simulacra.data.sources.idx import read_idx
from simulacra.errors import DataError

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def idx_bytes(array: np.ndarray) -> bytes:
    shape = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes()


def write_set(folder: Path, zipped: bool = True) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {}
    folder.mkdir(parents=True)
    for name in NAMES:
        n = 200 if name.startswith("train") else 50
        arrays[name] = rng.integers(0, 256, (n, 28, 28)) if "images" in name else rng.integers(0, 10, n)
        raw = idx_bytes(arrays[name])
        path = folder / (f"{name}.gz" if zipped else name)
        path.write_bytes(gzip.compress(raw) if zipped else raw)
    return arrays


@pytest.fixture(autouse=True)
def no_system_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(idx, "_SYSTEM", tmp_path / "system")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_loads_with_its_own_test_split(
    name: str, zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = write_set(tmp_path / name, zipped)
    monkeypatch.setenv("SIMULACRA_DATA", str(tmp_path))
    data = load(name)
    assert data.spec.shape == (1, 28, 28)
    assert len(data.spec.classes) == 10
    assert np.array_equal(data.test.x[:, 0], arrays[NAMES[2]])
    assert data.test.y is not None
    assert np.array_equal(data.test.y, arrays[NAMES[3]])
    assert len(data.train) + len(data.validation) == 200
    assert 0 < len(data.validation) < 30
    # the labels go with their pictures
    found: dict[bytes, int] = {}
    for part in (data.train, data.validation):
        assert part.y is not None
        found |= {x.tobytes(): int(y) for x, y in zip(part.x, part.y, strict=True)}
    for x, y in zip(arrays[NAMES[0]].astype(np.uint8), arrays[NAMES[1]], strict=True):
        assert found[x.tobytes()] == y


def test_found_in_the_cache_and_in_the_system(own_cache: Path, tmp_path: Path) -> None:
    write_set(own_cache / "simulacra" / "mnist")
    assert len(load("mnist").test) == 50
    write_set(tmp_path / "system" / "fashion-mnist")
    assert load("fashion-mnist").spec.classes[9] == "ankle boot"


def test_options_apply(own_cache: Path) -> None:
    write_set(own_cache / "simulacra" / "mnist")
    assert load("mnist", Options(image_size=16, channels=3)).spec.shape == (3, 16, 16)


def test_missing_without_torchvision(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(DataError) as caught:
        load("mnist")
    for part in (str(own_cache), "SIMULACRA_DATA", "pip install simulacra[vision]"):
        assert part in str(caught.value)


def test_downloads_through_torchvision(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def download(root: Path, download: bool) -> None:
        assert download
        print("Downloading")
        write_set(root / "FashionMNIST" / "raw", zipped=False)

    monkeypatch.setitem(
        sys.modules, "torchvision", SimpleNamespace(datasets=SimpleNamespace(FashionMNIST=download))
    )
    assert len(load("fashion-mnist").test) == 50
    assert capsys.readouterr().out == ""
    # the second time it is there
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert len(load("fashion-mnist").test) == 50


def test_a_failed_download_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(root: Path, download: bool) -> None:
        raise RuntimeError("no network")

    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(datasets=SimpleNamespace(MNIST=download)))
    with pytest.raises(DataError, match=r"download failed \(no network\)"):
        load("mnist")


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("a", b"", "not an idx file"),
        ("a", b"\x89PNG1234567890", "not an idx file"),
        ("a", bytes([0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0]), "not an idx file"),  # floats
        ("a", bytes([0, 0, 8, 3, 0, 0]), "damaged"),
        ("a", idx_bytes(np.zeros((3, 4, 4)))[:-1], "damaged, 63 bytes instead of 64"),
        ("a", idx_bytes(np.zeros((3, 4, 4))) + b"x", "damaged, more than 64 bytes instead of 64"),
        ("a", bytes([0, 0, 8, 3]) + b"\xff" * 12, "damaged"),
        ("a.gz", b"not gzip", "cannot be read"),
        ("a.gz", gzip.compress(idx_bytes(np.zeros(100)), mtime=0)[:-9], "cannot be read"),
    ],
)
def test_damaged_files(name: str, raw: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(DataError, match=message) as caught:
        read_idx(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (NAMES[1], np.zeros(199), "does not match"),
        (NAMES[1], np.zeros((200, 1)), "does not match"),
        (NAMES[1], np.full(200, 10), "label 10 is out of range"),
        (NAMES[2], np.zeros((50, 784)), "does not match"),
    ],
)
def test_files_that_do_not_fit(name: str, array: np.ndarray, message: str, own_cache: Path) -> None:
    folder = own_cache / "simulacra" / "mnist"
    write_set(folder, zipped=False)
    (folder / name).write_bytes(idx_bytes(array))
    with pytest.raises(DataError, match=message):
        load("mnist")


def test_no_argument() -> None:
    with pytest.raises(DataError, match="takes no argument"):
        load("mnist:1000")


def write_own(folder: Path, **arrays: np.ndarray) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        zipped = name.startswith("train")
        path = folder / f"{name.replace('_', '-')}-idx{array.ndim}-ubyte{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(idx_bytes(array)) if zipped else idx_bytes(array))
    return folder


X = np.random.default_rng(1).integers(0, 256, (60, 6, 8)).astype(np.uint8)
Y = np.random.default_rng(2).choice([3, 7], 60)


@pytest.mark.parametrize("named", ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", ""])
def test_a_file_with_its_labels_beside_it(named: str, tmp_path: Path) -> None:
    data = load(f"idx:{write_own(tmp_path / 'own', train_images=X, train_labels=Y) / named}")
    assert data.spec.shape == (1, 6, 8)
    assert data.spec.classes == ("3", "7")
    assert len(data.train) + len(data.validation) + len(data.test) == 60
    for part in (data.train, data.test):
        assert part.rows is not None
        assert part.y is not None
        assert np.array_equal(part.x[:, 0], X[part.rows])
        assert np.array_equal(part.y, Y[part.rows] == 7)


def test_a_folder_with_a_test_split(tmp_path: Path) -> None:
    folder = write_own(
        tmp_path / "own", train_images=X, train_labels=Y, t10k_images=X[:9], t10k_labels=Y[:9] + 1
    )
    data = load(f"idx:{folder}", Options(image_size=4))
    assert data.spec.shape == (1, 4, 4)
    # the labels of both
    assert data.spec.classes == ("3", "4", "7", "8")
    assert data.test.y is not None
    assert data.test.y.tolist() == [{4: 1, 8: 3}[label] for label in (Y[:9] + 1).tolist()]
    assert len(data.train) + len(data.validation) == 60
    assert load(f"idx:{write_own(tmp_path / 'bare', test_images=X)}").spec.classes == ()


@pytest.mark.parametrize(
    ("arrays", "named", "message"),
    [
        ({"train_images": X, "train_labels": Y[:5]}, "", "holds 60 images"),
        ({"train_labels": Y}, "train-labels-idx1-ubyte.gz", "holds labels, and its images are not beside it"),
        ({"train_labels": Y}, "", "here are none; name one file"),
        ({"train_images": X, "other_images": X}, "", "name one file"),
        (
            {"train_images": X, "train_labels": Y, "test_images": X},
            "",
            "only one of train-images.* has labels",
        ),
        ({"train_images": X, "test_images": X[:, :5]}, "", "different sizes"),
        ({"train_images": X[:, :2]}, "", "at least 4"),
        ({}, "nothing", "no file or folder"),
    ],
)
def test_what_an_idx_source_cannot_use(
    arrays: dict[str, np.ndarray], named: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        load(f"idx:{write_own(tmp_path / 'own', **arrays) / named}")
