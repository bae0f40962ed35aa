"""`unpaired:PATH`: a folder or a .zip of pictures of two domains, as labelled data of exactly two classes.

trainA, trainB, testA and testB are the domains A and B with their splits; of any other two folders the
names are those of the domains, in alphabetical order. It is `folder:PATH` that insists on two classes, so
every other labelled source of two classes is a pair of domains as well.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from simulacra.data.images.files import Pictures
from simulacra.data.images.layout import TRAIN, Layout, load_pictures, split_folders
from simulacra.data.sources import folder
from simulacra.data.spec import Data, Options, refuse_missing_classes
from simulacra.errors import DataError, printable


def load(name: str, argument: str, options: Options) -> Data:
    """Load the pictures of two domains; `spec.classes` are their names.

    Raises:
        DataError: as `load_pictures`; or there are not two domains with something to train on.
    """
    data = load_pictures(name, argument, options, read_layout)
    refuse_missing_classes(data)
    return data


def read_layout(title: str, pictures: Pictures) -> Layout:
    """Splits and domains, from the names of the pictures and `labels.csv`.

    Raises:
        DataError: there are not two domains, or a domain has no folder of training pictures.
    """
    layout = folder.read_layout(title, pictures)
    labels = layout.labels
    if labels.problems:
        return layout
    if labels.y is None or len(labels.classes) != 2:
        raise DataError(
            f"{title}: two domains stand in two folders, such as trainA and trainB, or horses and zebras; "
            + _found(pictures, labels.classes)
        )
    for c, domain in enumerate(labels.classes):
        if layout.given and TRAIN not in np.array(layout.given)[labels.y == c]:
            raise DataError(f"{title}: no folder has training pictures of '{printable(domain)}'")
    return replace(layout, groups=labels.y)


def _found(pictures: Pictures, classes: tuple[str, ...]) -> str:
    if classes:
        return f"here are {len(classes)}: {printable(', '.join(classes[:6]))}{', ...' * (len(classes) > 6)}"
    below = split_folders(map(PurePosixPath, pictures.names))[1]
    loose = [name for name, path in zip(pictures.names, below, strict=True) if len(path.parts) == 1]
    if 0 < len(loose) < len(below):
        return f"{len(loose)} pictures stand in none (first: {printable(loose[0])})"
    return "here all pictures stand together"
