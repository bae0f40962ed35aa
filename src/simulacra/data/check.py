"""The check of a source: which examples are usable, and what is wrong with the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from simulacra.data.images.attributes import classes as classes_of
from simulacra.data.images.cache import decode_all, find_shape
from simulacra.data.images.decode import BadImage
from simulacra.data.images.examples import SideBySide
from simulacra.data.images.files import open_image_files
from simulacra.data.images.labels import FILE_NAME
from simulacra.data.images.layout import Layout, Read, grouped
from simulacra.data.leaks import image_leak, leak
from simulacra.data.near_duplicates import Thumbnails, clusters, keep_together, near_copies, thumbnails
from simulacra.data.sources import folder, pairs, sentences, text, unpaired
from simulacra.data.sources.registry import TABLES, check_usage, load, parse
from simulacra.data.sources.tables import open_table
from simulacra.data.spec import SPLITS, Data, DataSpec, Options
from simulacra.data.splits import TEST, TRAIN, split_rule
from simulacra.data.tables.rows import Rows, read, schema_of
from simulacra.data.tables.summary import ColumnSummary, summaries
from simulacra.data.text.lines import Line
from simulacra.data.text.summary import TextSummary, summarise
from simulacra.errors import DataError, printable

# the sources of image files
READERS = {"folder": folder.read_layout, "pairs": pairs.read_layout, "unpaired": unpaired.read_layout}
# those of sentences
LINES: dict[str, Callable[[str, str, Options], Iterable[Line]]] = {
    "text": text.lines,
    "sentences": sentences.lines,
}


@dataclass(frozen=True)
class SourceCheck:
    """What was found in a source, as plain data, ready for JSON.

    Attributes:
        source: as the user wrote it.
        total: the number of examples or files.
        kind: `image`, `vector` or `text`.
        shape: of an example as a model receives it.
        splits: examples in each split.
        split_by: what decides the split of an example, as the options have it.
        classes: examples in each class.
        notes: remarks that do not prevent training.
        bad: each file that cannot be used, and why.
        problems: errors in `labels.csv`.
        duplicates: groups of files that show the same image, or of rows that are equal in every column used.
        sizes: `WIDTHxHEIGHT` of the usable files -> how many; empty for other sources.
        attributes: the names of the attributes.
        columns: the names of the numbers of a vector; empty if they have none.
        target: what is predicted from an example; None without a target.
        table: what was found in each column of a table.
        text: what was found in sentences; None for other sources.
    """

    source: str
    total: int
    kind: str
    shape: tuple[int, ...]
    splits: dict[str, int]
    classes: dict[str, int]
    notes: tuple[str, ...]
    split_by: str = ""
    bad: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    target: DataSpec | None = None
    table: tuple[ColumnSummary, ...] = ()
    text: TextSummary | None = None

    @property
    def ok(self) -> bool:
        """Whether the source can be trained on as it is."""
        return not self.bad and not self.problems


def check(source: str, options: Options | None = None) -> SourceCheck:
    """Check every file of a source; sources that are not image files are loaded.

    Nothing is taken from the cache or written to it.

    >>> report = check("digits")
    >>> report.ok, report.total, report.shape, len(report.classes)
    (True, 1797, (1, 8, 8), 10)

    Raises:
        DataError: the source as a whole cannot be used.
    """
    name, argument, _ = parse(source)
    options = options or Options()
    check_usage(name, argument, options)
    if name in READERS:
        return _check_images(f"{name}:{argument}", argument, options, READERS[name])
    table: tuple[ColumnSummary, ...] = ()
    equal: tuple[tuple[str, ...], ...] = ()
    if name in TABLES:
        rows = read(open_table(name, argument), options)
        data, table, equal = rows.split(options), summaries(rows), _equal_rows(rows)
    else:
        data = load(source, options)
    parts = [data.split(split) for split in SPLITS]
    labels = [part.y for part in parts if part.y is not None]
    counts = np.bincount(np.concatenate(labels or [np.empty(0, np.int64)]), minlength=len(data.spec.classes))
    return SourceCheck(
        source=source,
        total=sum(map(len, parts)),
        kind=data.spec.kind,
        shape=data.spec.shape,
        duplicates=equal,
        notes=(
            *data.notes,
            *_equal_notes(equal),
            *_constant_columns(data),
            *filter(None, [leak(data, options)]),
        ),
        split_by=split_rule(options) if options.split != "hash" or options.group else "",
        splits=dict(zip(SPLITS, map(len, parts), strict=True)),
        classes=dict(zip(data.spec.classes, map(int, counts), strict=True)),
        attributes=data.spec.attributes,
        columns=data.spec.columns,
        target=data.spec.target,
        table=table,
        text=summarise(LINES[name](name, argument, options), data) if name in LINES else None,
    )


def _equal_rows(rows: Rows) -> tuple[tuple[str, ...], ...]:
    """Groups of rows that are equal in every column used; none in a table of categories alone."""
    if not any(column.continuous for column in rows.columns):
        return ()
    every = rows.everything
    assert every.rows is not None
    same: defaultdict[tuple[bytes, ...], list[int]] = defaultdict(list)
    parts = [part for part in (every.x, every.y, every.target) if part is not None]
    for row, *values in zip((every.rows + 1).tolist(), *parts, strict=True):
        same[tuple(np.asarray(value).tobytes() for value in values)].append(row)
    return tuple(tuple(f"row {row}" for row in group) for group in same.values() if len(group) > 1)


def _equal_notes(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    if not groups:
        return ()
    again = sum(map(len, groups)) - len(groups)
    are = "row is" if again == 1 else "rows are"
    first = f"{groups[0][1]} equals {groups[0][0]}"
    return (
        f"{again:,} {are} equal to an earlier one in every column used (first: {first}; --json lists them)",
    )


def _constant_columns(data: Data) -> tuple[str, ...]:
    """Notes about columns with a single value."""
    if data.spec.kind != "vector":
        return ()
    x = np.concatenate([data.split(split).x for split in SPLITS])
    blocks = schema_of(data.spec).blocks
    same = (x == x[0]).all(axis=0)
    constant = [block.column.name for block in blocks if same[block.start :][: block.column.width].all()]
    return (f"the same value in every example: column {', '.join(constant)}",) if constant else ()


def _check_images(title: str, path: str, options: Options, read: Read) -> SourceCheck:
    bad: dict[str, str] = {}
    sizes: Counter[str] = Counter()
    same: defaultdict[float, list[int]] = defaultdict(list)
    with open_image_files(title, path) as files:
        layout = grouped(title, read(title, files), options)
        examples, labels = layout.examples, layout.labels
        if options.target is not None and not labels.problems:
            found, y = classes_of(title, labels.attributes, labels.values, options.target)
            labels = replace(labels, classes=found, y=y)
        stacked = find_shape(examples, options)
        names = [printable(name) for name in examples.names]
        shares: dict[int, float] = {}
        thumbs = []
        for i, example in enumerate(decode_all(examples, stacked)):
            if isinstance(example, BadImage):
                bad[names[i]] = str(example)
                continue
            sizes["{}x{}".format(*example.size)] += 1
            shares[i] = example.share
            same[example.share].append(i)
            thumbs.append(thumbnails(example.x[None]))
    usable = np.array(list(shares), dtype=np.int64)
    share = np.array(list(shares.values()))
    copies = np.zeros((0, 2), np.int64)
    if thumbs:
        copies = near_copies(Thumbnails(*map(np.concatenate, zip(*thumbs, strict=True))))
    cluster = clusters(len(usable), copies, share)
    try:
        place = layout.places(usable, keep_together(share, cluster), options)
    except DataError as error:
        raise DataError(f"{title}: {error}") from None
    splits = np.bincount(place, minlength=len(SPLITS))
    groups = [group for group in same.values() if len(group) > 1]
    classes = Counter() if labels.y is None else Counter(labels.y[usable].tolist())
    shape = (stacked[0] // examples.each, *stacked[1:])
    return SourceCheck(
        source=title,
        total=len(names),
        kind="image",
        shape=shape,
        bad=bad,
        problems=tuple(f"{FILE_NAME}: {problem}" for problem in labels.problems),
        duplicates=tuple(tuple(names[i] for i in group) for group in groups),
        notes=(
            *_upright_halves(layout, sizes),
            *_notes(groups, dict(zip(usable.tolist(), place.tolist(), strict=True)), layout),
            *_copy_notes(copies, cluster, share, place, options),
        ),
        sizes=dict(sizes.most_common()),
        split_by=split_rule(options) if options.split != "hash" or options.group else "",
        splits=dict(zip(SPLITS, map(int, splits), strict=True)),
        classes={name: classes[c] for c, name in enumerate(labels.classes)},
        attributes=labels.attributes,
        target=DataSpec("image", shape) if examples.each == 2 else None,
    )


def _notes(groups: list[list[int]], place: dict[int, int], layout: Layout) -> tuple[str, ...]:
    labels, what = layout.labels, "pairs" if layout.examples.each == 2 else "images"
    notes = [f"{FILE_NAME}: {note}" for note in labels.notes]
    if groups:
        notes.append(f"{_are(len(groups), what)} duplicated, {sum(map(len, groups))} files in all")
    torn = sum(len({place[i] for i in group}) > 1 for group in groups)
    if torn:
        notes.append(f"{_are(torn, 'of them')} in several splits: the test data contain training data")
    y = labels.y
    mixed = 0 if y is None else sum(len(set(y[group].tolist())) > 1 for group in groups)
    if mixed:
        notes.append(f"{_are(mixed, 'of them')} in several classes")
    if TRAIN not in place.values():
        notes.append(f"no {what[:-1]} is left for training; add more")
    return tuple(notes)


def _copy_notes(
    copies: np.ndarray, cluster: np.ndarray, share: np.ndarray, place: np.ndarray, options: Options
) -> Iterator[str]:
    """Notes about images that are near-copies of each other, but not the same."""
    different = copies[share[copies[:, 0]] != share[copies[:, 1]]]
    if len(different) == 0:
        return
    images = np.unique(different)
    together = len(np.unique(cluster[images]))
    yield f"{len(images)} images are near-copies of others, in {together} groups; each shares a split"
    training, test = (np.flatnonzero(place == split) for split in (TRAIN, TEST))
    if found := image_leak(copies, training, test, options):
        yield found


def _are(n: int, what: str) -> str:
    """`1 image is`, `2 images are`."""
    return f"1 {what.removesuffix('s')} is" if n == 1 else f"{n} {what} are"


def _upright_halves(layout: Layout, sizes: Counter[str]) -> tuple[str, ...]:
    """A note about halves that are higher than wide, as those of an ordinary photo are."""
    shapes = {size: [int(side) for side in size.split("x")] for size in sizes}
    upright = [size for size, (width, height) in shapes.items() if width < height]
    if not upright or not isinstance(layout.examples, SideBySide):
        return ()
    return (f"halves of {upright[0]} are cropped to squares; is every file two images side by side?",)
