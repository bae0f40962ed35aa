"""`folder:PATH`: a folder or a .zip of images; `simulacra.data.images.layout` describes the splits.

Labels come from `labels.csv` where it names them, else from the first level of sub-folders, below the splits.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from simulacra import limits
from simulacra.data.images.decode import BadImage
from simulacra.data.images.examples import Examples
from simulacra.data.images.files import ImageFiles
from simulacra.data.images.labels import FILE_NAME, Labels, from_csv, from_folders
from simulacra.data.images.layout import Layout, common_folder, load_images, peek_images, split_folders
from simulacra.data.spec import Data, DataSpec, Options


def load(name: str, argument: str, options: Options) -> Data:
    """Load the images of a folder or a .zip.

    Raises:
        DataError: as `load_images`.
    """
    return load_images(name, argument, options, read_layout)


def peek(name: str, argument: str, options: Options) -> DataSpec:
    """As `peek_images`."""
    return peek_images(name, argument, options, read_layout)


def read_layout(title: str, files: ImageFiles) -> Layout:
    """Splits and labels, from the names of the images and `labels.csv`."""
    paths = [PurePosixPath(name) for name in files.names]
    given, below = split_folders(paths)
    labels = from_folders(below)
    listed = _read_csv(files, paths)
    if listed is not None:
        folders = (labels.classes, labels.y) if listed.y is None else (listed.classes, listed.y)
        labels = replace(listed, classes=folders[0], y=folders[1])
    return Layout(Examples(files), given, labels)


def _read_csv(files: ImageFiles, paths: list[PurePosixPath]) -> Labels | None:
    """`labels.csv` beside the images' common folder or in it, whichever is deeper."""
    root = common_folder(paths)
    for folder in (root, *root.parents):
        try:
            raw = files.text((folder / FILE_NAME).as_posix(), limits.LABELS_BYTES)
        except BadImage as error:
            return Labels(problems=(str(error),))
        if raw is not None:
            return from_csv(raw, [path.relative_to(folder).as_posix() for path in paths])
    return None
