"""`folder:PATH`: a folder or a .zip of pictures; `simulacra.data.images.layout` says which are the splits.

Labels come from `labels.csv` where it names them, else from the first level of sub-folders, below the splits.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from simulacra.data.images.decode import BadImage
from simulacra.data.images.examples import Examples
from simulacra.data.images.files import Pictures
from simulacra.data.images.labels import FILE_NAME, Labels, from_csv, from_folders
from simulacra.data.images.layout import Layout, common_folder, load_pictures, split_folders
from simulacra.data.spec import Data, Options


def load(name: str, argument: str, options: Options) -> Data:
    """Load the pictures of a folder or a .zip.

    Raises:
        DataError: as `load_pictures`.
    """
    return load_pictures(name, argument, options, read_layout)


def read_layout(title: str, pictures: Pictures) -> Layout:
    """Splits and labels, from the names of the pictures and `labels.csv`."""
    paths = [PurePosixPath(name) for name in pictures.names]
    given, below = split_folders(paths)
    labels = from_folders(below)
    listed = _read_csv(pictures, paths)
    if listed is not None:
        folders = (labels.classes, labels.y) if listed.y is None else (listed.classes, listed.y)
        labels = replace(listed, classes=folders[0], y=folders[1])
    return Layout(Examples(pictures), given, labels)


def _read_csv(pictures: Pictures, paths: list[PurePosixPath]) -> Labels | None:
    """`labels.csv` beside the pictures' common folder or in it, whichever is deeper."""
    root = common_folder(paths)
    for folder in (root, *root.parents):
        try:
            raw = pictures.text((folder / FILE_NAME).as_posix())
        except BadImage as error:
            return Labels(problems=(str(error),))
        if raw is not None:
            return from_csv(raw, [path.relative_to(folder).as_posix() for path in paths])
    return None
