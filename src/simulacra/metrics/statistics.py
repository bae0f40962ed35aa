"""Features of a set of examples, and their moments and neighbours; cached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from simulacra.data.paths import cache_folder
from simulacra.errors import ConfigError, DataError, SimulacraError
from simulacra.files import replacing
from simulacra.metrics.features import Extractor, extract
from simulacra.metrics.frechet import Moments, moments
from simulacra.metrics.neighbours import nearest_other
from simulacra.metrics.prdc import radii

# to be raised when the same examples would give other statistics
VERSION = 2
# rows that are converted or read at a time
ROWS = 1024
# examples that the extractor takes at a time
AT_ONCE = 64

Arrays = dict[str, np.ndarray]


class Statistics:
    """Statistics of a set of examples; each is computed when it is first needed.

    Args:
        x: images `(N, C, H, W)`, uint8 or in [0, 1], or vectors `(N, D)`. Images are rounded to 8 bits, as
            data and saved samples are.
        extractor: of the features.
        classes: whether `probabilities` are needed too.
        keep: whether the features and what follows from them outlive the process, in the cache folder.
            There they are found by the content of x and by the extractor with its weights; a file that is
            damaged is made again, and without a folder to write to nothing is kept.
        whole: whether moments are taken from the features of all examples, which are needed anyway.

    Raises:
        ConfigError: x has another form.
        DataError: x has no rows, or numbers that are not finite.
    """

    def __init__(
        self,
        x: np.ndarray | Tensor,
        extractor: Extractor,
        classes: bool = False,
        keep: bool = False,
        whole: bool = False,
    ) -> None:
        self.x = as_examples(x)
        self.extractor, self.classes, self.whole = extractor, classes, whole
        # raw numbers are already there, and extractors without a digest cannot be distinguished
        self._key = self._digest() if keep and extractor.weights else None

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def features(self) -> np.ndarray:
        """`(N, F)`, float32."""
        return self._kept("features", lambda: {"features": self._extracted[0]})["features"]

    @cached_property
    def probabilities(self) -> np.ndarray | None:
        """Of the classes, `(N, K)`; None where the extractor predicts none, or they are not needed."""
        return self._extracted[1] if self.classes else None

    @cached_property
    def moments(self) -> Moments:
        """Of the features, which are held in memory only where they are needed as a whole."""

        def compute() -> Arrays:
            held = self.whole or "features" in vars(self)
            of = moments([self.features] if held else (features for features, _ in self._batches()))
            return {"count": np.array([of.count]), "mean": of.mean, "scatter": of.scatter}

        found = self._kept("moments", compute)
        return Moments(int(found["count"][0]), found["mean"], found["scatter"])

    def radii(self, k: int) -> np.ndarray:
        """Distance of each example to its k-th nearest other, `(N,)`."""
        return self._kept(f"radii-{k}", lambda: {"radii": radii(self.features, k)})["radii"]

    def others(self) -> tuple[np.ndarray, np.ndarray]:
        """Index of the nearest other of each example, and the distance to it, each `(N,)`."""

        def compute() -> Arrays:
            return dict(zip(("index", "distance"), nearest_other(self.features), strict=True))

        found = self._kept("others", compute)
        return found["index"], found["distance"]

    @cached_property
    def _extracted(self) -> tuple[np.ndarray, np.ndarray | None]:
        features, probs = zip(*self._batches(), strict=True)
        return np.concatenate(features), None if probs[0] is None else np.concatenate(probs)

    @torch.no_grad()
    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        for start in range(0, len(self), AT_ONCE):
            # a copy: tensors have to be writable, a memory map need not be
            x = torch.from_numpy(np.array(self.x[start : start + AT_ONCE]))
            x = x.float().div_(255) if x.dtype == torch.uint8 else x
            e = self.extractor
            features, probs = extract(e, x) if self.classes else (e.features(x), None)
            yield features.float().cpu().numpy(), None if probs is None else probs.cpu().numpy()

    def _digest(self) -> str:
        e = self.extractor
        about = (VERSION, e.name, e.weights, e.resize, self.x.shape, str(self.x.dtype))
        digest = blake2b(repr(about).encode(), digest_size=16)
        for start in range(0, len(self), ROWS):
            digest.update(np.ascontiguousarray(self.x[start : start + ROWS]).data)
        return digest.hexdigest()

    def _kept(self, what: str, compute: Callable[[], Arrays]) -> Arrays:
        if self._key is None:
            return compute()
        try:
            path = cache_folder() / "statistics" / f"{self._key}.{what}.safetensors"
        except OSError:
            return compute()
        # whatever is wrong with a cached file, it is made again
        with suppress(Exception):
            return _read(path)
        arrays = compute()
        # the disk is full, say: what was computed is no worse for it
        with suppress(SimulacraError, OSError):
            _write(path, arrays)
        return arrays


def as_examples(x: np.ndarray | Tensor) -> np.ndarray:
    """Images as uint8 `(N, C, H, W)`, vectors as float32 `(N, D)`; images in [0, 1] are clipped and rounded.

    Raises:
        ConfigError: x has another form.
        DataError: x has no rows, or numbers that are not finite.

    >>> as_examples(torch.tensor([[[[0.5, 2.0]]]]))
    array([[[[128, 255]]]], dtype=uint8)
    """
    array: np.ndarray = x.detach().cpu().numpy() if isinstance(x, Tensor) else x
    images = array.ndim == 4
    if array.ndim not in (2, 4) or (images and array.dtype != np.uint8 and array.dtype.kind != "f"):
        raise ConfigError(
            "examples: expected images (N, C, H, W), uint8 or floats in [0, 1], or vectors (N, D), "
            f"not {array.dtype} {array.shape}"
        )
    if len(array) == 0:
        raise DataError("examples: there are none")
    if array.dtype == np.uint8 and images:
        return array
    out = np.empty(array.shape, np.uint8 if images else np.float32)
    for start in range(0, len(array), ROWS):
        rows = array[start : start + ROWS].astype(np.float32)
        if not np.isfinite(rows).all():
            raise DataError(
                "examples: some hold NaN or infinite numbers; a model that diverged cannot be scored"
            )
        # half to even, as `round` of torch
        out[start : start + ROWS] = np.rint(rows.clip(0, 1) * 255) if images else rows
    return out


def _read(path: Path) -> Arrays:
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dictionary
        if file.metadata()["digest"] != _digest_of(arrays):
            raise ValueError("not what was written")
    return arrays


def _write(path: Path, arrays: Arrays) -> None:
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(a) for name, a in arrays.items()}
    with replacing(path) as temporary:
        save_file(arrays, temporary, metadata={"digest": _digest_of(arrays)})


def _digest_of(arrays: Arrays) -> str:
    digest = blake2b(digest_size=16)
    for name, a in sorted(arrays.items()):
        digest.update(f"{name} {a.dtype} {a.shape}".encode())
        digest.update(np.ascontiguousarray(a).data)
    return digest.hexdigest()
