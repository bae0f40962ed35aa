"""Near-copies among images: the same picture encoded again, a little brighter, shifted or cropped.

Candidates are nearest neighbours of coarse thumbnails without their brightness and contrast, as in perceptual
hashing. A candidate counts if, after registration (B. Lucas and T. Kanade, An Iterative Image Registration
Technique, 1981), one thumbnail explains nearly all of the variance of the other. Simple pictures, such as
handwritten digits, resemble each other without being copies: where many images nearly have a near-copy, only
almost exact ones count.

Not found: mirrored or rotated copies, crops of more than a few per cent, shifts of more than two thumbnail
pixels, and copies of images that are smaller than 16 pixels or have almost no contrast.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from simulacra.data.paths import cache_folder
from simulacra.data.splits import text_share
from simulacra.files import replacing

# raise it whenever the same images give other pairs
VERSION = 1
# pixels of a thumbnail's sides, and of the smallest images that are compared
SIDE, SMALLEST = 32, 16
# more images than this are not compared
MOST_IMAGES = 100_000
# grey levels of standard deviation, below which an image is flat
CONTRAST = 3.0
# cells of a coarse thumbnail along each side, and distances of two of length 1 that may be copies
CELLS, RADIUS, STRICT_RADIUS = 6, 0.3, 0.07
COMPONENTS, NEIGHBOURS = 10, 5
# share of the variance that a copy explains; and where images are alike without being copies
EXPLAINED, STRICT = 0.97, 0.998
# images are alike if more than this share has a best match between these shares of the variance
ALIKE, NEARLY = 0.1, 0.88
# pairs that show whether images are alike
SAMPLE = 1000
# registrations at a time
PAIRS = 1000


class Thumbnails(NamedTuple):
    """Images in small.

    Attributes:
        grey: the mean of the channels at about 32 pixels, blurred, uint8 `(N, h, w)`.
        coarse: means of 6 x 6 cells, uint8 `(N, C, 6, 6)`.
    """

    grey: np.ndarray
    coarse: np.ndarray


def thumbnails(x: np.ndarray) -> Thumbnails:
    """The thumbnails of uint8 `(N, C, H, W)`.

    >>> thumbnails(np.zeros((2, 3, 70, 64), np.uint8)).grey.shape
    (2, 35, 32)
    """
    # slow to import, and not needed to refuse a command
    from scipy.ndimage import gaussian_filter1d

    n, channels, height, width = x.shape
    rows, columns = max(1, height // SIDE), max(1, width // SIDE)
    h, w = height // rows, width // columns
    ys, xs = (np.arange(CELLS + 1) * side // CELLS for side in (h, w))
    cells = np.multiply.outer(np.diff(ys), np.diff(xs))
    grey, coarse = np.empty((n, h, w), np.uint8), np.zeros((n, channels, CELLS, CELLS), np.uint8)
    if min(h, w) < SMALLEST:
        return Thumbnails(grey, coarse)
    for start in range(0, n, PAIRS):
        part = x[start : start + PAIRS, :, : h * rows, : w * columns]
        small = part.reshape(-1, channels, h, rows, w, columns).mean(axis=(3, 5), dtype=np.float32)
        sums = np.add.reduceat(np.add.reduceat(small, ys[:-1], axis=2), xs[:-1], axis=3)
        coarse[start : start + PAIRS] = np.rint(sums / cells)
        small = small.mean(axis=1)
        for axis in (1, 2):
            small = gaussian_filter1d(small, 0.7, axis, mode="nearest", truncate=3)
        grey[start : start + PAIRS] = np.rint(small)
    return Thumbnails(grey, coarse)


def near_copies(thumbs: Thumbnails) -> np.ndarray:
    """The pairs of images that are near-copies of each other, int64 `(P, 2)`, each i < j, sorted.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.integers(0, 200, (50, 1, 16, 16)).repeat(4, axis=2).repeat(4, axis=3).astype(np.uint8)
    >>> x[7] = x[3] + 20
    >>> near_copies(thumbnails(x)).tolist()
    [[3, 7]]
    """
    grey, n = thumbs.grey, len(thumbs.grey)
    none = np.zeros((0, 2), np.int64)
    if not 2 <= n <= MOST_IMAGES or min(grey.shape[1:]) < SMALLEST:
        return none
    coarse = thumbs.coarse.reshape(n, -1).astype(np.float32)
    coarse -= coarse.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(coarse, axis=1, keepdims=True)
    coarse /= np.maximum(norm, 1e-6)
    kept = np.flatnonzero(norm[:, 0] > CONTRAST * np.sqrt(coarse.shape[1]))
    if len(kept) < 2:
        return none
    pairs = kept[_candidates(coarse[kept])]
    if len(pairs) > SAMPLE:
        some = pairs[np.isin(pairs, _sample(pairs)).any(axis=1)]
        alike = _alike(some, _explained(grey, some), _sample(pairs)) * len(np.unique(pairs)) / len(kept)
        if alike > ALIKE:
            distance = np.linalg.norm(coarse[pairs[:, 0]] - coarse[pairs[:, 1]], axis=1)
            pairs = pairs[distance < STRICT_RADIUS]
            return pairs[_explained(grey, pairs) >= STRICT]
    explained = _explained(grey, pairs)
    alike = _alike(pairs, explained, kept)
    return pairs[explained >= (STRICT if alike > ALIKE else EXPLAINED)]


def cached_near_copies(x: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """`near_copies` of images, stored beside decoded images under the hash of their contents.

    Args:
        x: uint8 `(N, C, H, W)`.
        shares: numbers that depend on the contents, `(N,)`.
    """
    digest = blake2b(repr((VERSION, x.shape)).encode() + shares.tobytes(), digest_size=16)
    try:
        file = cache_folder() / f"{digest.hexdigest()}.near.npy"
    except OSError:
        return near_copies(thumbnails(x))
    # whatever is wrong with a cached file, it is made again
    with suppress(Exception), file.open("rb") as stored:
        found: np.ndarray = np.lib.format.read_array(stored, allow_pickle=False)
        if found.shape[1:] == (2,):
            return found
    pairs = near_copies(thumbnails(x))
    with suppress(Exception), replacing(file) as temporary, temporary.open("wb") as stream:
        np.save(stream, pairs)
    return pairs


def clusters(n: int, pairs: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The cluster of near-copies of each of n images, `(n,)`; an image without any is a cluster of its own.

    Near-copies of near-copies belong together, too. A cluster of more than 10 images and of a twentieth of
    all, such as the frames of a video, is cut into images and their own near-copies; an image with as many of
    these stays alone.

    >>> clusters(5, np.array([[0, 1], [1, 4]]), np.linspace(0, 0.9, 5)).tolist()
    [0, 0, 2, 3, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    most = max(10, n // 20)
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    large = np.bincount(label)[label] > most
    first = np.full(n, n)
    np.minimum.at(first, label, np.arange(n))
    cluster: np.ndarray = np.where(large, np.arange(n), first[label])
    if large.any():
        neighbours: dict[int, list[int]] = {}
        for i, j in pairs[large[pairs[:, 0]]].tolist():
            neighbours.setdefault(i, []).append(j)
            neighbours.setdefault(j, []).append(i)
        taken: set[int] = set()
        # by content, so that the order of the files does not matter
        for i in sorted(neighbours, key=lambda i: (shares[i], i)):
            own = [j for j in neighbours[i] if j not in taken]
            if i not in taken and len(own) < most:
                taken.update([i, *own])
                cluster[own] = i
    return cluster


def keep_together(shares: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """The shares of the contents, with one for all images of a cluster, `(N,)`.

    It is a hash of their smallest, which an added image seldom changes; the smallest itself would put most
    clusters in the training split.

    >>> keep_together(np.array([0.5, 0.2, 0.9, 0.5]), np.array([0, 1, 0, 3])).round(2).tolist()
    [0.01, 0.2, 0.01, 0.5]
    """
    smallest, largest = np.ones(len(shares)), np.zeros(len(shares))
    np.minimum.at(smallest, cluster, shares)
    np.maximum.at(largest, cluster, shares)
    together = smallest.copy()
    for i in np.flatnonzero(smallest < largest):
        together[i] = text_share(repr(float(smallest[i])))
    return together[cluster]


def _candidates(coarse: np.ndarray) -> np.ndarray:
    """Pairs of neighbours closer than `RADIUS`, by their first principal components, `(P, 2)`."""
    from scipy.spatial import cKDTree

    n = len(coarse)
    some = coarse[np.linspace(0, n - 1, min(n, 2000)).astype(int)]
    _, _, axes = np.linalg.svd(some - some.mean(axis=0), full_matrices=False)
    projected = np.ascontiguousarray(coarse @ axes[:COMPONENTS].T)
    # a neighbour of 0 may be another image than the point itself
    _, found = cKDTree(projected).query(projected, k=NEIGHBOURS + 1, distance_upper_bound=RADIUS)
    i, j = np.repeat(np.arange(n), NEIGHBOURS + 1), found.ravel()
    there = (j < n) & (i != j)
    pairs = np.unique(np.sort(np.stack([i[there], j[there]], axis=1), axis=1), axis=0)
    distance = np.linalg.norm(coarse[pairs[:, 0]] - coarse[pairs[:, 1]], axis=1)
    close: np.ndarray = pairs[distance < RADIUS].reshape(-1, 2)
    return close


def _sample(pairs: np.ndarray) -> np.ndarray:
    """Some of the images in pairs, `(M,)`, which have about `SAMPLE` pairs."""
    images = np.unique(pairs)
    share = SAMPLE / 2 / len(pairs)
    return np.sort(np.random.default_rng(0).permutation(images)[: max(1, round(share * len(images)))])


def _alike(pairs: np.ndarray, explained: np.ndarray, images: np.ndarray) -> float:
    """The share of images whose best match is nearly a near-copy."""
    best: dict[int, float] = dict.fromkeys(images.tolist(), 0.0)
    for pair, value in zip(pairs.tolist(), explained.tolist(), strict=True):
        for i in pair:
            if i in best:
                best[i] = max(best[i], value)
    return float(np.mean([NEARLY <= value < EXPLAINED for value in best.values()]))


def _explained(thumbs: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The share of the variance of image j that image i explains after registration, `(P,)`."""
    parts = [
        _registered(thumbs[part[:, 0]].astype(np.float32), thumbs[part[:, 1]].astype(np.float32))
        for part in _parts(pairs)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _parts(pairs: np.ndarray) -> Iterable[np.ndarray]:
    return (pairs[start : start + PAIRS] for start in range(0, len(pairs), PAIRS))


def _registered(a: np.ndarray, b: np.ndarray, steps: int = 3) -> np.ndarray:
    """The squared correlation of b with a, moved and zoomed to fit it, away from the border, `(P,)`.

    One step of Gauss and Newton regresses b on a, its derivatives along y and x, and that of zooming:
    b = gain (a + dy a_y + dx a_x + zoom (y a_y + x a_x)) + offset.
    """
    n, h, w = a.shape
    y, x = np.meshgrid(np.arange(h, dtype=np.float32), np.arange(w, dtype=np.float32), indexing="ij")
    # from -1 to 1
    v, u = 2 * y / (h - 1) - 1, 2 * x / (w - 1) - 1
    border = max(1, h // 12)
    inner = np.s_[:, border:-border, border:-border]
    t = b[inner].reshape(n, -1)
    t = t - t.mean(axis=1, keepdims=True)
    move = np.zeros((n, 3), np.float32)
    best = np.zeros(n)
    for step in range(steps):
        dy, dx, zoom = (move[:, k, None, None] for k in range(3))
        moved = _interpolated(a, y + dy + zoom * v, x + dx + zoom * u)
        a_y, a_x = np.gradient(moved, axis=(1, 2))
        terms = np.stack([moved[inner], a_y[inner], a_x[inner], (v * a_y + u * a_x)[inner]], axis=-1)
        terms = terms.reshape(n, -1, 4)
        terms -= terms.mean(axis=1, keepdims=True)
        own = terms[..., 0]
        covariance = np.maximum((own * t).sum(axis=1), 0)
        r2 = covariance**2 / np.maximum((own**2).sum(axis=1) * (t**2).sum(axis=1), 1e-9)
        best = np.maximum(best, r2)
        if step < steps - 1:
            gram = terms.transpose(0, 2, 1) @ terms
            trace = np.trace(gram, axis1=1, axis2=2)[:, None, None]
            gram += np.eye(4, dtype=np.float32) * (1e-4 * trace + 1e-6)
            c = np.linalg.solve(gram, terms.transpose(0, 2, 1) @ t[..., None])[..., 0]
            gain = np.where(np.abs(c[:, 0]) > 0.2, c[:, 0], 1)
            move = np.clip(move + c[:, 1:] / gain[:, None], -2, 2)
    return best


def _interpolated(a: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Bilinear values of each image at (y, x), which end at the border, `(P, h, w)`."""
    _, h, w = a.shape
    y, x = np.clip(y, 0, h - 1.001), np.clip(x, 0, w - 1.001)
    top, left = y.astype(np.int64), x.astype(np.int64)
    fy, fx = y - top, x - left
    i = np.arange(len(a))[:, None, None]
    upper = a[i, top, left] * (1 - fx) + a[i, top, left + 1] * fx
    lower = a[i, top + 1, left] * (1 - fx) + a[i, top + 1, left + 1] * fx
    result: np.ndarray = upper * (1 - fy) + lower * fy
    return result
