"""`unpaired:PATH`: a folder or a .zip of images of two domains, as labelled data with exactly two classes.

trainA, trainB, testA and testB are the domains A and B with their splits; of any other two folders the
names are those of the domains, in alphabetical order. It is `folder:PATH` that insists on two classes, so
every other labelled source of two classes is a pair of domains as well.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from simulacra.data.images.files import ImageFiles
from simulacra.data.images.layout import Layout, load_images, peek_images, split_folders
from simulacra.data.sources import folder
from simulacra.data.spec import Data, DataSpec, Options, refuse_missing_classes
from simulacra.data.splits import TRAIN
from simulacra.errors import DataError, printable


def load(name: str, argument: str, options: Options) -> Data:
    """Load the images of two domains; `spec.classes` are their names.

    Raises:
        DataError: as `load_images`; or there are not two domains with something to train on.
    """
    data = load_images(name, argument, options, read_layout)
    if options.split != "none":
        refuse_missing_classes(data)
    return data


def peek(name: str, argument: str, options: Options) -> DataSpec:
    """As `peek_images`."""
    return peek_images(name, argument, options, read_layout)


def read_layout(title: str, files: ImageFiles) -> Layout:
    """Splits and domains, from the names of the images and `labels.csv`.

    Raises:
        DataError: there are not two domains, or a domain has no folder of training images.
    """
    layout = folder.read_layout(title, files)
    labels = layout.labels
    if labels.problems:
        return layout
    if labels.y is None or len(labels.classes) != 2:
        raise DataError(
            f"{title}: needs two folders of images, such as trainA and trainB, or horses and zebras; "
            + _found(files, labels.classes)
        )
    for c, domain in enumerate(labels.classes):
        if layout.given and TRAIN not in np.array(layout.given)[labels.y == c]:
            raise DataError(f"{title}: no folder holds training images of '{printable(domain)}'")
    return replace(layout, groups=labels.y)


def _found(files: ImageFiles, classes: tuple[str, ...]) -> str:
    if classes:
        return f"here are {len(classes)}: {printable(', '.join(classes[:6]))}{', ...' * (len(classes) > 6)}"
    below = split_folders(map(PurePosixPath, files.names))[1]
    loose = [name for name, path in zip(files.names, below, strict=True) if len(path.parts) == 1]
    if 0 < len(loose) < len(below):
        return f"{len(loose)} images are in no folder (first: {printable(loose[0])})"
    return "here all images are in one folder"
