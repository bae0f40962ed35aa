"""`folder:PATH`: a folder or a .zip of pictures.

Splits. Folders named train, val (or valid, validation) and test, right below the folder that holds all
pictures, are the splits. Without them everything is cut 80 / 10 / 10 by content. What is missing is cut from
the training part, by content: without validation 5% of it, as for other sources with a test part of their
own, and without test 10% of it, because a validation part that models were chosen by cannot test them.

Labels come from `labels.csv` where it names them, else from the first level of sub-folders, below the splits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePosixPath

import numpy as np

from simulacra.data import Options
from simulacra.data.cache import load_stacks
from simulacra.data.decode import BadImage
from simulacra.data.labels import FILE_NAME, Labels, from_csv, from_folders
from simulacra.data.picture_files import Pictures, open_pictures, printable
from simulacra.data.spec import CUTS, HELD_OUT, Data, Dataset, DataSpec
from simulacra.errors import DataError

TRAIN, VALIDATION, TEST = range(3)
_SPLIT_OF = {"train": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class Layout:
    """What the names of the files say.

    Attributes:
        given: the split of each picture by its folder, or None when the folders name no splits.
        labels: of each picture.
    """

    given: list[int] | None
    labels: Labels

    @cached_property
    def _there(self) -> frozenset[int]:
        return frozenset(self.given or ())

    def place(self, i: int, share: float) -> int:
        """The position in `SPLITS` of picture `i`, whose content's share in [0, 1) is `share`.

        >>> Layout(None, Labels()).place(0, 0.85)
        1
        >>> Layout([TRAIN, TEST], Labels()).place(0, 0.85)
        0
        """
        if self.given is None:
            return int(np.digitize(share, CUTS))
        if self.given[i] == TRAIN and VALIDATION not in self._there and share >= HELD_OUT:
            return VALIDATION
        if self.given[i] == TRAIN and TEST not in self._there and share >= CUTS[1]:
            return TEST
        return self.given[i]


def load(name: str, argument: str, options: Options) -> Data:
    """Load the pictures of a folder or a .zip.

    Raises:
        DataError: the path is missing, damaged, unsafe or holds no pictures; `labels.csv` does not fit the
            pictures; or some files cannot be used and `options.skip_bad` is off.
    """
    title = f"{name}:{argument}"
    with open_pictures(title, argument) as pictures:
        layout = read_layout(pictures)
        problems = layout.labels.problems
        if problems:
            more = f" (and {len(problems) - 1} more; 'simulacra data check {title}' lists them)"
            raise DataError(f"{title}: {FILE_NAME}: {problems[0]}{more if len(problems) > 1 else ''}")
        stacks = load_stacks(title, pictures, layout.place, options)
        _refuse_bad(title, stacks.bad, len(pictures.names), options.skip_bad)
    labels = layout.labels
    parts = []
    for x, rows in zip(stacks.x, stacks.rows, strict=True):
        spec = DataSpec("image", x.shape[1:], labels.classes, labels.attributes)
        y = None if labels.y is None else labels.y[rows]
        parts.append(Dataset(spec, x, y, None if labels.values is None else labels.values[rows]))
    if len(parts[TRAIN]) == 0:
        raise DataError(f"{title}: {sum(map(len, parts))} pictures are too few to train on; add more")
    train, validation, test = parts
    return Data(title, train, validation, test)


def read_layout(pictures: Pictures) -> Layout:
    """Splits and labels, from the names of the pictures and `labels.csv`."""
    paths = [PurePosixPath(name) for name in pictures.names]
    root = _common_folder(paths)
    below = [path.relative_to(root) for path in paths]
    # a picture beside the folders has its own name as first part, which names no split
    tops = [_SPLIT_OF.get(path.parts[0].casefold()) for path in below]
    given = [top for top in tops if top is not None]
    has_splits = len(given) == len(tops) and TRAIN in given and len(set(given)) > 1
    if has_splits:
        below = [path.relative_to(path.parts[0]) for path in below]
    labels = from_folders(below)
    listed = _read_csv(pictures, paths, root)
    if listed is not None:
        folders = (labels.classes, labels.y) if listed.y is None else (listed.classes, listed.y)
        labels = replace(listed, classes=folders[0], y=folders[1])
    return Layout(given if has_splits else None, labels)


def _read_csv(pictures: Pictures, paths: list[PurePosixPath], root: PurePosixPath) -> Labels | None:
    """`labels.csv` beside the pictures' common folder or in it, whichever is deeper."""
    for folder in (root, *root.parents):
        try:
            raw = pictures.text((folder / FILE_NAME).as_posix())
        except BadImage as error:
            return Labels(problems=(str(error),))
        if raw is not None:
            return from_csv(raw, [path.relative_to(folder).as_posix() for path in paths])
    return None


def _common_folder(paths: list[PurePosixPath]) -> PurePosixPath:
    """The deepest folder that holds all pictures: looks through wrapping folders."""
    folders = {path.parent for path in paths}
    first = folders.pop()
    return next(
        root for root in (first, *first.parents) if all(folder.is_relative_to(root) for folder in folders)
    )


def _refuse_bad(title: str, bad: dict[str, str], total: int, skip: bool) -> None:
    if not bad:
        return
    name, reason = next(iter(bad.items()))
    first = f"(first: {printable(name)}: {reason})"
    if len(bad) == total:
        raise DataError(f"{title}: none of the {total} files can be used {first}")
    if not skip:
        raise DataError(
            f"{title}: {len(bad)} of {total} files cannot be used {first}; run 'simulacra data check "
            f"{title}' for the list, or add --skip-bad"
        )
