"""What can be used of a source, and what cannot and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np

from simulacra.data import Options, load, parse, refuse_unused
from simulacra.data.attributes import classes as classes_of
from simulacra.data.cache import decode_all, find_shape
from simulacra.data.decode import BadImage
from simulacra.data.folder import read_layout
from simulacra.data.labels import FILE_NAME, Labels
from simulacra.data.picture_files import open_pictures, printable
from simulacra.data.spec import SPLITS, Data, DataSpec


@dataclass(frozen=True)
class Report:
    """The findings; all of it is plain data, ready for JSON.

    Attributes:
        source: as the user wrote it.
        total: examples or files looked at.
        kind: `image` or `vector`.
        shape: of one example as a model gets it.
        bad: each file that cannot be used, and why.
        problems: what is wrong with `labels.csv`.
        duplicates: groups of files that show the same picture.
        notes: what is no fault but good to know.
        sizes: `WIDTHxHEIGHT` of the usable files -> how many; empty for sources that are no files.
        splits: examples in each split.
        classes: examples in each class.
        attributes: the names of the attributes.
        columns: the names of the numbers of a vector; empty where they have none.
        target: what is to be predicted from an example; None if nothing is.
    """

    source: str
    total: int
    kind: str
    shape: tuple[int, ...]
    bad: dict[str, str]
    problems: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    sizes: dict[str, int]
    splits: dict[str, int]
    classes: dict[str, int]
    attributes: tuple[str, ...]
    columns: tuple[str, ...] = ()
    target: DataSpec | None = None

    @property
    def ok(self) -> bool:
        """Nothing stands in the way of training."""
        return not self.bad and not self.problems


def check(source: str, options: Options | None = None) -> Report:
    """Look at every file of a source; sources that are no picture files are loaded.

    Nothing is taken from the cache or written to it.

    >>> report = check("digits")
    >>> report.ok, report.total, report.shape, len(report.classes)
    (True, 1797, (1, 8, 8), 10)

    Raises:
        DataError: the source as a whole cannot be used.
    """
    name, argument, _ = parse(source)
    options = options or Options()
    refuse_unused(name, options)
    if name == "folder":
        return _check_pictures(f"{name}:{argument}", argument, options)
    data = load(source, options)
    parts = [data.split(split) for split in SPLITS]
    labels = [part.y for part in parts if part.y is not None]
    counts = np.bincount(np.concatenate(labels or [np.empty(0, np.int64)]), minlength=len(data.spec.classes))
    return Report(
        source=source,
        total=sum(map(len, parts)),
        kind=data.spec.kind,
        shape=data.spec.shape,
        bad={},
        problems=(),
        duplicates=(),
        notes=_constant_columns(data),
        sizes={},
        splits=dict(zip(SPLITS, map(len, parts), strict=True)),
        classes=dict(zip(data.spec.classes, map(int, counts), strict=True)),
        attributes=data.spec.attributes,
        columns=data.spec.columns,
        target=data.spec.target,
    )


def _constant_columns(data: Data) -> tuple[str, ...]:
    """Numbers of vectors that tell nothing."""
    if data.spec.kind != "vector":
        return ()
    x = np.concatenate([data.split(split).x for split in SPLITS])
    names = data.spec.columns or [str(i + 1) for i in range(x.shape[1])]
    constant = [names[i] for i in np.flatnonzero((x == x[0]).all(axis=0))]
    return (f"the same value in every example: column {', '.join(constant)}",) if constant else ()


def _check_pictures(title: str, path: str, options: Options) -> Report:
    bad: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    splits: Counter[str] = Counter()
    same: defaultdict[float, list[int]] = defaultdict(list)
    with open_pictures(title, path) as pictures:
        layout = read_layout(pictures)
        labels = layout.labels
        if options.target is not None and not labels.problems:
            found, y = classes_of(title, labels.attributes, labels.values, options.target)
            labels = replace(labels, classes=found, y=y)
        shape = find_shape(pictures, options)
        names = [printable(name) for name in pictures.names]
        place: dict[int, int] = {}
        for i, picture in enumerate(decode_all(pictures, shape)):
            if isinstance(picture, BadImage):
                bad[names[i]] = str(picture)
                continue
            sizes["{}x{}".format(*picture.size)] += 1
            place[i] = layout.place(i, picture.share)
            splits[SPLITS[place[i]]] += 1
            same[picture.share].append(i)
    groups = [group for group in same.values() if len(group) > 1]
    usable = list(place)
    classes = Counter() if labels.y is None else Counter(labels.y[usable].tolist())
    return Report(
        source=title,
        total=len(names),
        kind="image",
        shape=shape,
        bad=bad,
        problems=tuple(f"{FILE_NAME}: {problem}" for problem in labels.problems),
        duplicates=tuple(tuple(names[i] for i in group) for group in groups),
        notes=_notes(groups, place, labels, splits["train"]),
        sizes=dict(sizes.most_common()),
        splits={split: splits[split] for split in SPLITS},
        classes={name: classes[c] for c, name in enumerate(labels.classes)},
        attributes=labels.attributes,
    )


def _notes(groups: list[list[int]], place: dict[int, int], labels: Labels, train: int) -> tuple[str, ...]:
    notes = [f"{FILE_NAME}: {note}" for note in labels.notes]
    if groups:
        notes.append(
            f"{len(groups)} pictures stand there more than once, {sum(map(len, groups))} files in all"
        )
    torn = sum(len({place[i] for i in group}) > 1 for group in groups)
    if torn:
        notes.append(f"{torn} of them stand in several splits: a model is tested on what it was trained on")
    y = labels.y
    mixed = 0 if y is None else sum(len(set(y[group].tolist())) > 1 for group in groups)
    if mixed:
        notes.append(f"{mixed} of them stand in several classes")
    if train == 0:
        notes.append("no picture is left for training; add more")
    return tuple(notes)
