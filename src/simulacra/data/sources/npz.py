"""`npz:PATH`: images or vectors from a NumPy archive, with labels, attributes and targets.

    images or x     uint8, or floats in [0, 1]: (N, H, W), (N, H, W, 1|3|4) or (N, 1|3, H, W);
                    or vectors (N, D) of any numbers. An archive's only array may have any name.
    labels or y     optional (N,), whole numbers or strings
    attributes      optional (N, A), numbers; attribute_names (A,) names them
    targets         optional, what is predicted: images or vectors (N, T), as the examples
    column_names    optional (D,), strings; names the columns of a vector
    target_names    optional (T,), strings; names the columns of a target

The splits are cut by content, or as `Options.split` and `Options.group` say, which name arrays `(N,)`.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np

from simulacra import limits
from simulacra.data.images.decode import SMALLEST
from simulacra.data.images.resize import resize_data
from simulacra.data.images.scale import rescaling
from simulacra.data.near_duplicates import cached_near_copies, clusters, keep_together
from simulacra.data.paths import find
from simulacra.data.spec import Data, Dataset, DataSpec, Options, encode_labels
from simulacra.data.splits import content_shares, split_data
from simulacra.errors import DataError, LimitError, nearest

# resized images are outside [0, 1] by so much
ROUNDING = 1e-4


def load(name: str, argument: str, options: Options) -> Data:
    """Load an archive; images that are not square keep their shape unless a size is given.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", images=np.arange(20 * 48, dtype=np.uint8).reshape(20, 6, 8))
    ...     load("npz", f"{folder}/a.npz", Options()).spec
    DataSpec('image', (1, 6, 8))

    Raises:
        DataError: the file is missing or no archive, or an array is missing, of a wrong shape or type,
            or holds values that are not finite or out of range; or the targets are all the same.
    """
    title = f"{name}:{argument}"
    return from_arrays(title, _read(title, argument), options)


def from_arrays(title: str, arrays: dict[str, np.ndarray], options: Options) -> Data:
    """Data from arrays by the names that an archive has for them.

    Args:
        title: of the source, for messages.
        arrays: `images` or `x`, and the optional ones.
        options: size and channels of images, and how the examples are split.

    Raises:
        DataError: as `load`.
    """
    key = _examples_key(title, arrays)
    x = _examples(f"{title}: array '{key}'", arrays[key])
    classes, y = _labels(title, arrays, len(x))
    attributes, values = _attributes(title, arrays, len(x))
    target, t = _targets(title, arrays, len(x))
    columns = _names(title, arrays, "column_names", key, x)
    spec = DataSpec(
        "image" if x.ndim == 4 else "vector", x.shape[1:], classes, attributes, columns, target=target
    )

    def column(key: str) -> list[str]:
        return _cells(arrays, key, len(x))

    shares, copies = content_shares(x), None
    if spec.kind == "image" and options.split != "none":
        copies = cached_near_copies(x, shares)
        shares = keep_together(shares, clusters(len(x), copies, shares))
    data = split_data(title, Dataset(spec, x, y, values, t), options, column, shares)
    data = replace(data, copies=copies)
    images = [one for one in (spec, target) if one and one.kind == "image"]
    if (options.image_size and not images) or (options.channels and spec.kind == "vector"):
        raise DataError(f"{title}: array '{key}' holds vectors, which have no image size and no channels")
    return resize_data(data, options.image_size, options.channels)


def _read(title: str, path: str) -> dict[str, np.ndarray]:
    place = find(path)
    if not path or not place.exists():
        raise DataError(f"{title}: there is no file '{path}'; write npz:PATH with a .npz archive")
    try:
        limits.check_zip(place, limits.NPZ_ARRAYS)
    except LimitError as error:
        raise DataError(f"{title}: {error}") from error
    except OSError as error:
        raise DataError(f"{title}: cannot be read ({error.strerror})") from error
    if not zipfile.is_zipfile(place):
        raise DataError(f"{title}: not a complete .npz archive; write it with numpy.savez")
    what = "the archive"
    arrays = {}
    try:
        with np.load(place, allow_pickle=False) as archive:
            needed = sum(info.file_size for info in archive.zip.infolist())
            limits.check_memory(needed, "its arrays", "use a part of them")
            for key in archive.files:
                what = f"array '{key}'"
                arrays[key] = archive[key]
    except LimitError as error:
        raise DataError(f"{title}: {error}") from error
    except MemoryError as error:
        raise DataError(f"{title}: {what} does not fit in memory") from error
    # a damaged or hostile archive gives errors of almost every type
    except Exception as error:
        pickled = "Object arrays" in str(error)
        reason = "holds Python objects, which are not read" if pickled else "is damaged"
        raise DataError(f"{title}: {what} {reason}; write the archive again with numpy.savez") from error
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise DataError(f"{title}: '{key}' is not an array; write the archive again with numpy.savez")
    return arrays


def _examples_key(title: str, arrays: dict[str, np.ndarray]) -> str:
    for key in ("images", "x"):
        if key in arrays:
            return key
    if len(arrays) == 1:
        return next(iter(arrays))
    held = ", ".join(f"'{key}'" for key in arrays) or "nothing"
    raise DataError(f"{title}: there is no array 'images' or 'x', only {held}; rename one to 'images'")


def _examples(what: str, array: np.ndarray) -> np.ndarray:
    """uint8 `(N, 1|3, H, W)` or float32 `(N, D)`."""
    if array.dtype.kind not in "buif":
        raise DataError(f"{what} has type {array.dtype}, not numbers")
    if array.size == 0:
        raise DataError(f"{what} has shape {array.shape}, which is empty")
    if array.ndim == 2:
        return _finite(what, array)
    x = _channels_first(what, array)
    if x.dtype.kind == "f":
        if not np.isfinite(x).all():
            raise DataError(f"{what} holds NaN or infinite values")
        if x.min() < -ROUNDING or x.max() > 1 + ROUNDING:
            low, high = x.min(), x.max()
            raise DataError(f"{what} has values from {low:g} to {high:g}; {rescaling(low, high)}")
        x = np.rint(x.clip(0, 1) * x.dtype.type(255)).astype(np.uint8)
    elif x.dtype != np.uint8:
        fits = x.dtype.kind in "iu" and x.min() >= 0 and x.max() <= 255
        hint = ": x.astype(numpy.uint8)" if fits else ""
        raise DataError(f"{what} has type {array.dtype}; images are uint8, or floats in [0, 1]{hint}")
    if x.shape[1] == 4:
        # over white: alpha * colour + (1 - alpha) * 255, rounded
        colour, alpha = x[:, :3].astype(np.uint32), x[:, 3:].astype(np.uint32)
        x = ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(x)


def _channels_first(what: str, array: np.ndarray) -> np.ndarray:
    shape = array.shape
    if array.ndim == 3 and min(shape[1:]) >= SMALLEST:
        return array[:, None]
    # a side of at least 4 pixels cannot be taken for channels, nor 1 or 3 channels for a side
    if array.ndim == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) >= SMALLEST:
        return array.transpose(0, 3, 1, 2)
    if array.ndim == 4 and shape[1] in (1, 3) and min(shape[2:]) >= SMALLEST:
        return array
    raise DataError(
        f"{what} has shape {shape}; it must be (N, H, W), (N, H, W, 1|3|4) or (N, 1|3, H, W) with H and W at "
        f"least {SMALLEST}, or (N, D)"
    )


def _finite(what: str, array: np.ndarray) -> np.ndarray:
    """Any numbers as float32."""
    with np.errstate(over="ignore"):
        x = array.astype(np.float32)
    if not np.isfinite(x).all():
        raise DataError(f"{what} holds values that are NaN, infinite or too large")
    return x


def _labels(title: str, arrays: dict[str, np.ndarray], n: int) -> tuple[tuple[str, ...], np.ndarray | None]:
    key = "labels" if "labels" in arrays else "y"
    if key not in arrays:
        return (), None
    array = arrays[key]
    if array.shape != (n,):
        raise DataError(f"{title}: array '{key}' has shape {array.shape}; it must be ({n},), one per example")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.dtype.kind not in "buiU":
        raise DataError(f"{title}: array '{key}' has type {array.dtype}; labels are whole numbers or strings")
    if array.dtype.kind == "U":
        return encode_labels(array.tolist())
    values, y = np.unique(array, return_inverse=True)
    return tuple(str(value) for value in values), y.astype(np.int64)


def _cells(arrays: dict[str, np.ndarray], key: str, n: int) -> list[str]:
    """The values of an array `(N,)` as text."""
    if key not in arrays:
        raise DataError(f"there is no array '{key}', {nearest(key, arrays)}")
    if arrays[key].shape != (n,):
        raise DataError(
            f"array '{key}' has shape {arrays[key].shape}; it must be ({n},), one value per example"
        )
    return [str(value) for value in arrays[key].tolist()]


def _attributes(
    title: str, arrays: dict[str, np.ndarray], n: int
) -> tuple[tuple[str, ...], np.ndarray | None]:
    if "attributes" not in arrays:
        return (), None
    array = arrays["attributes"]
    if array.ndim != 2 or len(array) != n or array.dtype.kind not in "buif":
        raise DataError(
            f"{title}: array 'attributes' has shape {array.shape} and type {array.dtype}; "
            f"it must be numbers of shape ({n}, A)"
        )
    names = _strings(title, arrays, "attribute_names", array.shape[1])
    names = names or tuple(f"attribute_{i}" for i in range(array.shape[1]))
    return names, _finite(f"{title}: array 'attributes'", array)


def _targets(title: str, arrays: dict[str, np.ndarray], n: int) -> tuple[DataSpec | None, np.ndarray | None]:
    """The targets: uint8 `(N, C, H, W)` or float32 `(N, T)`."""
    if "targets" not in arrays:
        if "target_names" in arrays:
            raise DataError(f"{title}: array 'target_names' names the columns of 'targets', which is missing")
        return None, None
    array = arrays["targets"]
    what = f"{title}: array 'targets'"
    if array.ndim == 0 or len(array) != n:
        raise DataError(f"{what} has shape {array.shape}; it must hold {n} targets, one per example")
    if array.ndim == 1:
        raise DataError(f"{what} has shape {array.shape}; reshape it to ({n}, 1): targets[:, None]")
    t = _examples(what, array)
    if (t == t[0]).all():
        raise DataError(f"{what} holds the same target for every example: there is nothing to learn")
    columns = _names(title, arrays, "target_names", "targets", t)
    return DataSpec("image" if t.ndim == 4 else "vector", t.shape[1:], columns=columns), t


def _names(
    title: str, arrays: dict[str, np.ndarray], key: str, of: str, vectors: np.ndarray
) -> tuple[str, ...]:
    """The names of the columns of vectors; empty if they have none."""
    if key in arrays and vectors.ndim == 4:
        raise DataError(
            f"{title}: array '{key}' names the columns of vectors, but '{of}' holds images; remove it"
        )
    return _strings(title, arrays, key, vectors.shape[1])


def _strings(title: str, arrays: dict[str, np.ndarray], key: str, n: int) -> tuple[str, ...]:
    if key not in arrays:
        return ()
    names = arrays[key]
    if names.shape != (n,) or names.dtype.kind != "U" or len(set(names.tolist())) < n:
        raise DataError(f"{title}: array '{key}' must hold {n} different strings, one per column")
    return tuple(names.tolist())
