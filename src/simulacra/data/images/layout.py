"""Splits and labels of the image files of a folder or a .zip, by their names; and how they are loaded.

Splits. Folders named train, val (or valid, validation) and test, right below the folder that holds all
images, or one level further down in each of its folders, are the splits; trainA means train/A, and
likewise the others with A or B at the end. Without such folders content decides, 80 / 10 / 10. A missing
split is taken from the training part, by content: 5% of it for validation, as in other sources with a test
split, and 10% for test, because the validation split that models were selected on cannot test them; 5% for
each if both are missing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from simulacra.data.images.attributes import CLASS, classes
from simulacra.data.images.cache import DEFAULT_SIZE, load_stack
from simulacra.data.images.examples import Examples
from simulacra.data.images.files import ImageFiles, open_image_files
from simulacra.data.images.labels import FILE_NAME, Labels
from simulacra.data.near_duplicates import cached_near_copies, clusters, keep_together
from simulacra.data.spec import Data, Dataset, DataSpec, Options
from simulacra.data.splits import (
    CUTS,
    HELD_OUT,
    TEST,
    TRAIN,
    VALIDATION,
    places,
    splitting_columns,
    text_share,
)
from simulacra.errors import DataError, nearest, printable

# --group folder: the folder of a file is its group
FOLDER = "folder"
_SPLIT_OF = {"train": TRAIN, "val": VALIDATION, "valid": VALIDATION, "validation": VALIDATION, "test": TEST}
_JOINED = re.compile(f"({'|'.join(_SPLIT_OF)})([AB])", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """How image files are divided into examples, splits and labels.

    Attributes:
        examples: the examples that the files make up.
        given: the split of each example by its folder, or None when the folders name no splits.
        labels: of each example.
        groups: `(N,)`, the group of each example, if every group needs training examples.
    """

    examples: Examples
    given: list[int] | None
    labels: Labels
    groups: np.ndarray | None = None

    def places(self, rows: np.ndarray, shares: np.ndarray, options: Options) -> np.ndarray:
        """The position in `SPLITS` of each usable example, `(M,)`.

        Args:
            rows: the usable examples, `(M,)`.
            shares: of their contents, in [0, 1), the same for those that have to share a split, `(M,)`.
            options: `split` and `group`.

        Raises:
            DataError: the folders name splits, and the options ask for others; or as `splits.places`.
        """
        if self.given is None and options.split == "none":
            return np.full(len(rows), TEST)
        if self.given is None:
            # by name, file10 after file9
            names = [_natural(self.examples.names[row]) for row in rows]
            order = np.array(sorted(range(len(rows)), key=names.__getitem__), dtype=np.int64)
            cells = {name: [self.column(name)[rows[i]] for i in order] for name in splitting_columns(options)}
            place = np.empty(len(rows), np.int64)
            place[order] = places(shares[order], options, cells.__getitem__)
            return place if options.split != "hash" or options.group else self._settled(rows, place)
        if options.split not in ("hash", "none"):
            raise DataError(f"the folders say what is training and test; leave out --split {options.split}")
        if options.group is not None:
            cells_of = self.column(options.group)
            shares = np.array([text_share(cells_of[i]) for i in rows])
        place = np.array(self.given, dtype=np.int64)[rows]
        training, there = place == TRAIN, set(self.given)
        if TEST not in there:
            place[training & (shares >= CUTS[1])] = TEST
        if VALIDATION not in there:
            place[training & (shares >= HELD_OUT)] = VALIDATION
        return self._settled(rows, place)

    def column(self, name: str) -> list[str]:
        """A value for each example: its cell in a column of labels.csv, or its `folder`.

        Raises:
            DataError: there is no such column.
        """
        if name == FOLDER:
            return [PurePosixPath(file).parent.as_posix() for file in self.examples.names]
        if name not in self.labels.cells:
            known = (*self.labels.cells, FOLDER)
            raise DataError(f"{FILE_NAME} has no column '{name}', {nearest(name, known)}")
        return list(self.labels.cells[name])

    def _settled(self, rows: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Move a group whose examples all fell into other splits to training, as far as its folders allow."""
        if self.groups is None:
            return place
        place, groups = place.copy(), self.groups[rows]
        allowed = np.array([self.given is None or self.given[i] == TRAIN for i in rows], dtype=bool)
        for group in np.unique(groups):
            if TRAIN not in place[groups == group]:
                place[(groups == group) & allowed] = TRAIN
        return place


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts numbers in names as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


# (the source as the user wrote it, its files) -> their layout
Read = Callable[[str, ImageFiles], Layout]


def split_folders(paths: Iterable[PurePosixPath]) -> tuple[list[int] | None, list[PurePosixPath]]:
    """The split of each path, None when the folders name no splits; and the paths without those folders.

    >>> paths = ["horses/trainA/1.png", "horses/testB/2.png"]
    >>> given, below = split_folders(map(PurePosixPath, paths))
    >>> given, [path.as_posix() for path in below]
    ([0, 2], ['A/1.png', 'B/2.png'])
    """
    paths = list(paths)
    root = common_folder(paths)
    below = [path.relative_to(root) for path in paths]
    parts = [_split_first(path.parts) for path in below]
    # an image beside the folders has its own name as first part, which names no split
    tops = [_SPLIT_OF.get(part[0].casefold()) for part in parts]
    given = [top for top in tops if top is not None]
    if len(given) < len(tops) or TRAIN not in given:
        return None, below
    return given, [PurePosixPath(*part[1:]) for part in parts]


def _split_first(parts: tuple[str, ...]) -> tuple[str, ...]:
    """`trainA/...` and `A/train/...` as `train/A/...`."""
    joined = _JOINED.fullmatch(parts[0])
    if joined:
        return joined[1], joined[2].upper(), *parts[1:]
    if len(parts) > 2 and parts[0].casefold() not in _SPLIT_OF and parts[1].casefold() in _SPLIT_OF:
        return parts[1], parts[0], *parts[2:]
    return parts


def common_folder(paths: Iterable[PurePosixPath]) -> PurePosixPath:
    """The deepest folder that holds all images."""
    folders = {path.parent for path in paths}
    first = folders.pop()
    return next(
        root for root in (first, *first.parents) if all(folder.is_relative_to(root) for folder in folders)
    )


def peek_images(name: str, argument: str, options: Options, read: Read) -> DataSpec:
    """The spec of a folder or a .zip as far as the names of its files tell it; the size of the images is
    a guess if `options` does not give it.

    Raises:
        DataError: as `load_images`, except for files that cannot be used.
    """
    title = f"{name}:{argument}"
    with open_image_files(title, argument) as files:
        layout = read_layout(title, files, read, options)
    labels, size = layout.labels, options.image_size or DEFAULT_SIZE
    shape = (options.channels or 3, size, size)
    target = DataSpec("image", shape) if layout.examples.each == 2 else None
    found = labels.classes
    if options.target not in (None, CLASS):
        found, _ = classes(title, labels.attributes, labels.values, options.target)
    return DataSpec("image", shape, found, labels.attributes, target=target)


def read_layout(title: str, files: ImageFiles, read: Read, options: Options) -> Layout:
    """The layout; folders that are groups are not classes as well.

    Raises:
        DataError: `labels.csv` does not fit, or there is no column that the options name.
    """
    layout = read(title, files)
    if problems := layout.labels.problems:
        more = f" (and {len(problems) - 1} more; 'simulacra data check {shlex.quote(title)}' lists them)"
        raise DataError(f"{title}: {FILE_NAME}: {problems[0]}{more if len(problems) > 1 else ''}")
    return grouped(title, layout, options)


def grouped(title: str, layout: Layout, options: Options) -> Layout:
    """The layout, whose folders are no classes if they are groups.

    Raises:
        DataError: there is no column that the options name.
    """
    labels = layout.labels
    try:
        columns = {name: layout.column(name) for name in splitting_columns(options)}
    except DataError as error:
        raise DataError(f"{title}: {error}") from None
    if options.group == FOLDER and labels.y is not None and FOLDER not in labels.cells:
        pairs = set(zip(columns[FOLDER], labels.y.tolist(), strict=True))
        if len(pairs) == len(set(columns[FOLDER])) == len(labels.classes):
            return replace(layout, labels=replace(labels, classes=(), y=None))
    return layout


def load_images(name: str, argument: str, options: Options, read: Read) -> Data:
    """Load the images of a folder or a .zip as `read` lays them out.

    Raises:
        DataError: the path is missing, damaged, unsafe or holds no images; its layout or `labels.csv` does
            not fit; or some files cannot be used and `options.skip_bad` is off.
    """
    title = f"{name}:{argument}"
    with open_image_files(title, argument) as files:
        layout = read_layout(title, files, read, options)
        stack = load_stack(title, layout.examples, options)
    _refuse_bad(title, stack.bad, len(layout.examples.names), options.skip_bad)
    try:
        copies = np.zeros((0, 2), np.int64)
        if options.split != "none":
            copies = cached_near_copies(stack.x, stack.shares)
        together = keep_together(stack.shares, clusters(len(stack.x), copies, stack.shares))
        place = layout.places(stack.rows, together, options)
    except DataError as error:
        raise DataError(f"{title}: {error}") from None
    if TRAIN not in place and options.split != "none":
        raise DataError(f"{title}: {len(place)} images are too few to train on; add more")
    parts = [np.flatnonzero(place == split) for split in range(3)]
    train, validation, test = (_dataset(layout, stack.take(part), stack.rows[part]) for part in parts)
    names = tuple(layout.examples.names)
    return Data(title, train, validation, test, names=names, copies=stack.rows[copies])


def _dataset(layout: Layout, x: np.ndarray, rows: np.ndarray) -> Dataset:
    labels, channels = layout.labels, x.shape[1] // layout.examples.each
    shape = (channels, *x.shape[2:])
    paired = layout.examples.each == 2
    target = DataSpec("image", shape) if paired else None
    spec = DataSpec("image", shape, labels.classes, labels.attributes, target=target)
    y = None if labels.y is None else labels.y[rows]
    values = None if labels.values is None else labels.values[rows]
    return Dataset(spec, x[:, :channels], y, values, x[:, channels:] if paired else None, rows)


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
            f"{shlex.quote(title)}' for the list; remove them, or train with --skip-bad"
        )
