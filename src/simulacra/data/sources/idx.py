"""`mnist` and `fashion-mnist`, 60,000 + 10,000 grey images of 28x28 in idx files, and `idx:PATH`, others.

`idx:PATH` is a file of images, plain or .gz, with its labels beside it (`images` and `idx3` in its name
become `labels` and `idx1`), or a folder with two of them, for training and test, as MNIST's is.

Sources: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits (1998);
H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST (2017).
"""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import redirect_stdout
from math import prod
from pathlib import Path
from typing import IO, cast

import numpy as np

from simulacra import limits
from simulacra.data.images.resize import resize_data
from simulacra.data.paths import cache_folder, data_folders, find
from simulacra.data.sources.npz import from_arrays
from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.data.splits import hold_out_validation
from simulacra.errors import DataError, LimitError

CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
}
# torchvision's name, which is also that of the folder it downloads to
_TORCHVISION = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}
# where Debian's package dataset-fashion-mnist installs its files
_SYSTEM = Path("/usr/share/datasets")

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def load(name: str, argument: str, options: Options) -> Data:
    """The t10k files are the test split; validation is held out of the rest.

    Raises:
        DataError: the files are nowhere and cannot be downloaded, or are damaged.
    """
    if name == "idx":
        return _load_path(f"{name}:{argument}", argument, options)
    train_x, train_y, test_x, test_y = _find(name) or _download(name)
    train, test = _dataset(name, train_x, train_y), _dataset(name, test_x, test_y)
    return resize_data(hold_out_validation(name, train, test), options.image_size, options.channels)


def read_idx(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes, plain or .gz: uint8, of the dimensions it states.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "two"
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    ...     read_idx(path)
    array([7, 9], dtype=uint8)

    Raises:
        DataError: the file cannot be read, is not an idx file, or is longer or shorter than it states.
    """
    try:
        with limits.open_regular(path, limits.ARRAY_BYTES) as file:
            zipped = path.suffix == ".gz"
            return _read_idx(path, cast(IO[bytes], gzip.GzipFile(fileobj=file)) if zipped else file)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch the file again") from error
    except LimitError as error:
        raise DataError(f"{path}: {error}") from error


def _read_idx(path: Path, file: IO[bytes]) -> np.ndarray:
    # 0, 0, type (8: unsigned byte), number of dimensions, then each dimension as big-endian uint32
    start = file.read(4)
    if len(start) < 4 or start[:3] != b"\0\0\x08" or not 1 <= start[3] <= limits.IDX_DIMENSIONS:
        raise DataError(
            f"{path}: not an idx file of bytes with 1 to {limits.IDX_DIMENSIONS} dimensions; fetch the file"
            " again"
        )
    sizes = file.read(4 * start[3])
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    expected = prod(shape)
    limits.check_memory(expected, f"its {' x '.join(map(str, shape))} bytes", "fetch the file again")
    # a byte more, to see that there is none
    raw = limits.read_part(file, expected + 1)
    if len(raw) != expected or len(sizes) != 4 * start[3]:
        head = 4 + 4 * start[3]
        found = f"more than {head + expected}" if len(raw) > expected else 4 + len(sizes) + len(raw)
        raise DataError(f"{path}: damaged, {found} bytes instead of {head + expected}; fetch the file again")
    return np.frombuffer(raw, np.uint8).reshape(shape)


def _load_path(title: str, path: str, options: Options) -> Data:
    place = find(path)
    if not path or not place.exists():
        raise DataError(f"{title}: there is no file or folder '{path}'; write idx:PATH")
    files = _images_in(title, place) if place.is_dir() else [_images_of(title, place)]
    parts = [(read_idx(file), _labels_of(title, file)) for file in files]
    if len(parts) == 1:
        x, y = parts[0]
        return from_arrays(title, {"images": x} if y is None else {"images": x, "labels": y}, options)
    labels = [y for _, y in parts if y is not None]
    if len(labels) == 1:
        raise DataError(f"{title}: only one of {files[0].name} and {files[1].name} has labels beside it")
    numbers = np.unique(np.concatenate(labels)) if labels else np.zeros(0, np.uint8)
    classes = tuple(map(str, numbers.tolist()))
    train, test = (
        _images(str(file), x, None if y is None else np.searchsorted(numbers, y), classes)
        for file, (x, y) in zip(files, parts, strict=True)
    )
    if train.spec != test.spec:
        raise DataError(f"{title}: {files[0].name} and {files[1].name} hold images of different sizes")
    return resize_data(hold_out_validation(title, train, test), options.image_size, options.channels)


def _images_in(title: str, folder: Path) -> list[Path]:
    """The only file of images in a folder, or that for training and that for test."""
    found = sorted(path for path in folder.iterdir() if "-idx3-ubyte" in path.name)
    train = [path for path in found if "train" in path.name]
    test = [path for path in found if "test" in path.name or "t10k" in path.name]
    if len(found) == 1:
        return found
    if len(found) == len(train) + len(test) == 2 and len(train) == 1:
        return [*train, *test]
    names = ", ".join(path.name for path in found) or "none"
    raise DataError(f"{title}: it has to hold images for training and test, here are {names}; name one file")


def _images_of(title: str, file: Path) -> Path:
    """The file of images, where its labels may be named instead."""
    if read_idx(file).ndim > 1:
        return file
    return _beside(file, ("labels", "images"), ("idx1", "idx3")) or _no_images(title, file)


def _no_images(title: str, file: Path) -> Path:
    raise DataError(f"{title}: {file.name} holds labels, and its images are not beside it; name their file")


def _labels_of(title: str, images: Path) -> np.ndarray | None:
    file = _beside(images, ("images", "labels"), ("idx3", "idx1"))
    if file is None:
        return None
    x, y = read_idx(images), read_idx(file)
    if y.shape != (len(x),):
        raise DataError(f"{title}: {file.name} has shape {y.shape}, but {images.name} holds {len(x)} images")
    return y


def _beside(file: Path, *replaced: tuple[str, str]) -> Path | None:
    """The file with another name, plain or .gz; None if it is not there."""
    name = file.name.removesuffix(".gz")
    for old, new in replaced:
        name = name.replace(old, new)
    places = (file.with_name(name), file.with_name(f"{name}.gz"))
    return next((place for place in places if place != file and place.is_file()), None)


def _folders(name: str) -> list[Path]:
    downloaded = [folder / "cache" / _TORCHVISION[name] / "raw" for folder in data_folders()]
    return [*(folder / name for folder in data_folders()), *downloaded, _SYSTEM / name]


def _find(name: str) -> list[Path] | None:
    for folder in _folders(name):
        found = [
            next((path for path in (folder / file, folder / f"{file}.gz") if path.is_file()), None)
            for file in _FILES
        ]
        complete = [path for path in found if path is not None]
        if len(complete) == len(_FILES):
            return complete
    return None


def _download(name: str) -> list[Path]:
    looked = ", ".join(str(folder) for folder in _folders(name))
    hint = f"put {_FILES[0]}.gz and its three companions in FOLDER/{name} and set SIMULACRA_DATA to FOLDER"
    try:
        from torchvision import datasets
    except ImportError as error:
        raise DataError(
            f"{name}: not found in {looked}; {hint}, or 'pip install simulacra[vision]' to download it"
        ) from error
    try:
        # standard output belongs to the command
        with redirect_stdout(sys.stderr):
            getattr(datasets, _TORCHVISION[name])(cache_folder(), download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{name}: not found in {looked}, and the download failed ({error}); {hint}"
        ) from error
    found = _find(name)
    if found is None:
        raise DataError(f"{name}: not found in {looked}, and the download left no idx files; {hint}")
    return found


def _dataset(name: str, images: Path, labels: Path) -> Dataset:
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or y.ndim != 1 or len(x) != len(y):
        raise DataError(f"{images}: shape {x.shape} does not match {y.shape} labels; fetch both files again")
    if y.max(initial=0) >= len(CLASSES[name]):
        raise DataError(f"{labels}: label {y.max()} is out of range; fetch the file again")
    return _images(str(images), x, y, CLASSES[name])


def _images(what: str, x: np.ndarray, y: np.ndarray | None, classes: tuple[str, ...]) -> Dataset:
    """Bytes `(N, H, W)` with labels `(N,)`."""
    if x.ndim != 3 or len(x) == 0 or min(x.shape[1:]) < 4:
        raise DataError(f"{what}: its shape is {x.shape}; images are (N, H, W) of at least 4x4 pixels")
    spec = DataSpec("image", (1, *x.shape[1:]), classes)
    return Dataset(spec, x[:, None], None if y is None else y.astype(np.int64))
