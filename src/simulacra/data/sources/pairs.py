"""`pairs:PATH`: a folder or a .zip of pairs of images; the example is A, the target B.

Either every file is a pair side by side, A on the left and B on the right, or the images are in two folders
A and B, partners under the same name (the suffix may differ). Folders name splits as in
`simulacra.data.images.layout`: train, A/train or train/A. Both images of a pair are cropped and scaled alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from simulacra.data.images.examples import Partners, SideBySide
from simulacra.data.images.files import ImageFiles
from simulacra.data.images.labels import Labels
from simulacra.data.images.layout import Layout, common_folder, load_images, peek_images, split_folders
from simulacra.data.spec import Data, DataSpec, Options
from simulacra.errors import DataError, printable

_OTHER = {"A": "B", "B": "A"}


def load(name: str, argument: str, options: Options) -> Data:
    """Load the pairs of a folder or a .zip; `spec.target` has the shape of the examples.

    Raises:
        DataError: as `load_images`; or the images of two folders are not pairs.
    """
    return load_images(name, argument, options, read_layout)


def peek(name: str, argument: str, options: Options) -> DataSpec:
    """As `peek_images`."""
    return peek_images(name, argument, options, read_layout)


def read_layout(title: str, files: ImageFiles) -> Layout:
    """Pairs and splits, from the names of the images.

    Raises:
        DataError: there is a folder A or B, and no pair at all.
    """
    paths = [PurePosixPath(name) for name in files.names]
    given, below = split_folders(paths)
    sides = [path.parts[0].upper() if len(path.parts) > 1 else "" for path in below]
    root = common_folder(paths)
    if root.name.upper() in _OTHER:
        raise DataError(
            f"{title}: all images are in '{printable(str(root))}'; put their partners, of the same names, "
            f"in a folder '{_OTHER[root.name.upper()]}' beside it"
        )
    if not _OTHER.keys() & set(sides):
        n = len(paths)
        return Layout(SideBySide(files), given, Labels(), groups=np.zeros(n))
    keys = [
        (side, PurePosixPath(str(given[i]) if given else "", *path.parts[int(side in _OTHER) :]))
        for i, (side, path) in enumerate(zip(sides, below, strict=True))
    ]
    partner = match(keys)
    if not any(partner):
        raise DataError(
            f"{title}: no image in A has a partner of the same name in B; to read two "
            f"unpaired folders, use unpaired:{title.partition(':')[2]}"
        )
    names = files.names
    # the partner in A represents the pair
    kept = [i for i, j in enumerate(partner) if j is None or sides[i] == "A"]
    members = {names[i]: (names[i],) if (j := partner[i]) is None else (names[i], names[j]) for i in kept}
    own = None if given is None else [given[i] for i in kept]
    return Layout(Partners(files, members), own, Labels(), groups=np.zeros(len(kept)))


def match(keys: Sequence[tuple[str, PurePosixPath]]) -> list[int | None]:
    """The position of the partner of each image, None without a partner.

    Args:
        keys: the side, A or B, and the path below its folder.

    >>> match([("A", PurePosixPath("1.jpg")), ("A", PurePosixPath("2.jpg")), ("B", PurePosixPath("1.png"))])
    [2, None, 0]
    """
    exact = {key: i for i, key in enumerate(keys)}
    stems = defaultdict(list)
    for i, (side, path) in enumerate(keys):
        stems[side, path.with_suffix("")].append(i)

    def partner(side: str, path: PurePosixPath) -> int | None:
        other, stem = _OTHER.get(side, ""), path.with_suffix("")
        here, there = stems[side, stem], stems[other, stem]
        return there[0] if len(here) == len(there) == 1 else exact.get((other, path))

    return [partner(side, path) if side in _OTHER else None for side, path in keys]
