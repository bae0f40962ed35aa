"""`mnist` and `fashion-mnist`: 60,000 + 10,000 grey images of 28x28, from their idx files.

Sources: Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits (1998);
H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST (2017).
"""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from simulacra.data.images.resize import resize_data
from simulacra.data.paths import cache_folder, data_folders
from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.data.splits import hold_out_validation
from simulacra.errors import DataError

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
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch the file again") from error
    # 0, 0, type (8: unsigned byte), number of dimensions, then each dimension as big-endian uint32
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise DataError(f"{path}: not an idx file of bytes; fetch the file again")
    start = 4 + 4 * raw[3]
    shape = tuple(int.from_bytes(raw[i : i + 4], "big") for i in range(4, start, 4))
    expected = start + int(np.prod(shape, dtype=object))
    if len(raw) != expected:
        raise DataError(f"{path}: damaged, {len(raw)} bytes instead of {expected}; fetch the file again")
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


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
    if len(x) == 0 or min(x.shape[1:]) < 4:
        raise DataError(f"{images}: {len(x)} images of {x.shape[1]}x{x.shape[2]}; fetch the file again")
    if y.max() >= len(CLASSES[name]):
        raise DataError(f"{labels}: label {y.max()} is out of range; fetch the file again")
    spec = DataSpec("image", (1, *x.shape[1:]), CLASSES[name])
    return Dataset(spec, x[:, None], y.astype(np.int64))
