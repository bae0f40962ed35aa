"""Every source by name: how it is written, what it holds, which options it accepts.

A source is written `NAME` or `NAME:ARGUMENT`, followed by `@SPLIT` where a command reads one split.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

from simulacra.data.paths import find
from simulacra.data.spec import SPLITS, Data, DataSpec, Options, is_arrays
from simulacra.errors import DataError, nearest

IMAGE = ("image_size", "channels")
SPLITTING = ("split", "group")
# sources of tables, and those that encode examples as a run does
TABLES = ("csv", "parquet")
ENCODED = (*TABLES, "text", "sentences")
# options of tables, and of sentences
TABLE = ("target", "columns", "drop", "categorical", "missing", *SPLITTING)
TEXT = ("tokens", "vocabulary_size", "max_tokens")


@dataclass(frozen=True)
class Source:
    """A data source.

    Attributes:
        module: of `simulacra.data.sources`; its `load(name, argument, options)` returns `Data`.
        usage: how it is written; optional parts in brackets.
        summary: what it holds.
        options: the fields of `Options` that it accepts besides `skip_bad`.
    """

    module: str
    usage: str
    summary: str
    options: tuple[str, ...] = ()


SOURCES = {
    "digits": Source(
        "digits", "digits", "1,797 real handwritten digits, 8x8 grey (from scikit-learn, no download)", IMAGE
    ),
    "faces": Source(
        "faces",
        "faces[:N][,glasses=P]",
        "N drawn colour faces with every factor known, a share P with glasses (default 10,000, 0.4)",
        (*IMAGE, "target"),
    ),
    "face-outlines": Source(
        "faces",
        "face-outlines[:N][,glasses=P]",
        "N pairs: the line drawing of a face, and the face (default 10,000, 0.4)",
        (*IMAGE, "swap"),
    ),
    "gaussians-8": Source("toys", "gaussians-8[:N]", "N points of 8 normals on a circle (default 50,000)"),
    "gaussians-25": Source("toys", "gaussians-25[:N]", "N points of 25 normals on a grid (default 50,000)"),
    "rings": Source("toys", "rings[:N]", "N points near 4 concentric circles (default 50,000)"),
    "moons": Source("toys", "moons[:N]", "N points near two interleaved half circles (default 50,000)"),
    "swiss-roll": Source("toys", "swiss-roll[:N]", "N points near a spiral (default 50,000)"),
    "checkerboard": Source(
        "toys", "checkerboard[:N]", "N points on the dark squares of a 4x4 board (default 50,000)"
    ),
    "bishop-inverse": Source(
        "bishop_inverse",
        "bishop-inverse[:N]",
        "N pairs of Bishop's inverse problem, predict t from x (default 50,000)",
    ),
    "robot-arm": Source(
        "robot_arm",
        "robot-arm[:N][,joints=J]",
        "N hand positions of an arm, predict its 1 to 8 joint angles (default 50,000, 2 joints)",
    ),
    "mnist": Source(
        "idx",
        "mnist",
        "60,000 + 10,000 handwritten digits, 28x28 grey (found in SIMULACRA_DATA or downloaded)",
        IMAGE,
    ),
    "fashion-mnist": Source(
        "idx", "fashion-mnist", "60,000 + 10,000 items of clothing, 28x28 grey (likewise)", IMAGE
    ),
    "folder": Source(
        "folder",
        "folder:PATH",
        "a folder or .zip of jpg, png, webp or bmp images; labels from sub-folders or labels.csv",
        (*IMAGE, "target", *SPLITTING),
    ),
    "pairs": Source(
        "pairs",
        "pairs:PATH",
        "pairs of images, predict B from A: halves of one file, or folders A and B; --swap predicts A",
        (*IMAGE, "swap", *SPLITTING),
    ),
    "unpaired": Source(
        "unpaired",
        "unpaired:PATH",
        "images of two domains: trainA, trainB, testA, testB, or any two folders",
        (*IMAGE, *SPLITTING),
    ),
    "idx": Source(
        "idx",
        "idx:PATH",
        "images in an idx file of bytes, plain or .gz, with the labels beside it; or a folder like MNIST's",
        IMAGE,
    ),
    "npz": Source(
        "npz",
        "npz:PATH",
        "a NumPy archive with arrays images or x, and labels or y, attributes, targets",
        (*IMAGE, "target", *SPLITTING),
    ),
    "csv": Source(
        "tables",
        "csv:PATH",
        "a table of numbers, words, dates and missing cells; --target names the columns to predict",
        TABLE,
    ),
    "parquet": Source("tables", "parquet:PATH", "likewise, as pandas writes it (needs pyarrow)", TABLE),
    "sentences": Source(
        "sentences",
        "sentences[:N]",
        "N sentences of a small English grammar, with attributes and probabilities (default 20,000)",
        (*TEXT, "split"),
    ),
    "text": Source(
        "text",
        "text:PATH",
        "a sentence a line: a .txt, plain or .gz, or a folder of them; or a column of a .csv",
        (*TEXT, "column", "target", "split"),
    ),
    "diabetes": Source(
        "bundled", "diabetes", "442 patients: 10 measurements, predict the progression of the disease"
    ),
    "iris": Source("bundled", "iris", "150 flowers: 4 measurements, 3 species"),
    "wine": Source("bundled", "wine", "178 wines: 13 measurements, 3 growers"),
    "breast-cancer": Source("bundled", "breast-cancer", "569 tumours: 30 measurements, malignant or benign"),
}


def parse(source: str) -> tuple[str, str, str | None]:
    """Split a source into its name, its argument and its split; a path gets the name of the source it suits.

    >>> parse("folder:holiday.zip@test")
    ('folder', 'holiday.zip', 'test')
    >>> parse("digits")
    ('digits', '', None)
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pathlib.Path(folder, "a.csv").touch()
    ...     parse(f"{folder}/a.csv@test")[::2], parse(folder)[0]
    (('csv', 'test'), 'folder')

    Raises:
        DataError: there is no source of that name, or no split of that name.
    """
    if is_arrays(source):
        raise DataError(
            f"data '{source}': the arrays that a program passed are not stored; add --data SOURCE, e.g."
            " npz:FILE, which numpy.savez writes"
        )
    name, _, argument = source.partition(":")
    if name.partition("@")[0] not in SOURCES:
        return _of_path(source)
    head, at, split = (argument if argument else name).rpartition("@")
    if at and split in SPLITS:
        return (name, head, split) if argument else (head, "", split)
    if at and "/" not in split and not (argument and find(argument).exists()):
        raise DataError(f"data '{source}': no split '{split}', {nearest(split, SPLITS)}")
    return name, argument, None


# endings of files -> the source that reads them
ENDINGS = {
    ".zip": "folder",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".npz": "npz",
    ".txt": "text",
    ".txt.gz": "text",
    "-ubyte": "idx",
    "-ubyte.gz": "idx",
}


def _of_path(source: str) -> tuple[str, str, str | None]:
    """A source that is written as a path alone.

    Raises:
        DataError: there is nothing at the path, or it is not clear what reads it.
    """
    path, _, split = source.rpartition("@")
    for written, part in ((source, None), (path, split)):
        place = find(written)
        if not written or not place.exists():
            continue
        if part is not None and part not in SPLITS:
            raise DataError(f"data '{source}': no split '{part}', {nearest(part, SPLITS)}")
        if place.is_dir():
            return "idx" if any(place.glob("*-idx3-ubyte*")) else "folder", written, part
        for ending, name in ENDINGS.items():
            if place.name.casefold().endswith(ending):
                return name, written, part
        raise DataError(
            f"data '{source}': a source is a folder of images, or a file that ends in {', '.join(ENDINGS)};"
            " write how to read another one, e.g. csv:PATH"
        )
    raise DataError(f"data '{source}': {_missing(source)}")


def _missing(source: str) -> str:
    """What may have been meant by a source that is neither known nor a path."""
    name, colon, _ = source.partition(":")
    path = Path(source)
    if len(path.parts) == 1 and get_close_matches(name.casefold(), SOURCES, n=1):
        return f"unknown source '{name}', {nearest(name, SOURCES)}"
    here = path.parent.iterdir() if path.parent.is_dir() and not colon else ()
    close = get_close_matches(path.name, sorted(one.name for one in here if one.name[0] != "."), n=3)
    if close:
        meant = ", ".join(f"'{path.parent / one}'" for one in close)
        return f"there is no such file or folder; did you mean {meant}?"
    if len(path.parts) > 1 and not colon:
        return (
            f"there is no such file or folder; '{next(one for one in path.parents if one.exists())}' is there"
        )
    return f"there is no source '{name}', and no file or folder; 'simulacra data list' shows the sources"


def full_name(source: str) -> str:
    """The source as `parse` reads it: a path with the name of the source that it suits.

    >>> full_name("faces:20"), full_name("digits@test")
    ('faces:20', 'digits@test')
    """
    if is_arrays(source) or source.partition(":")[0].partition("@")[0] in SOURCES:
        return source
    name, path, split = parse(source)
    return f"{name}:{path}" + (f"@{split}" if split else "")


def split_of(source: str | None) -> str:
    """The split that a source names; `test` when it names none.

    >>> split_of("digits@validation"), split_of("digits"), split_of(None)
    ('validation', 'test', 'test')
    """
    return (parse(source)[2] if source else None) or "test"


def check_usage(name: str, argument: str, options: Options) -> None:
    """Refuse an argument or an option that the source would ignore.

    Raises:
        DataError: it does not accept them.
    """
    if argument and ":" not in SOURCES[name].usage:
        raise DataError(f"{name}:{argument}: '{name}' takes no argument; write {name}")
    for option in (*IMAGE, "swap", "column", *TEXT, *TABLE):
        if getattr(options, option) != getattr(Options(), option) and option not in SOURCES[name].options:
            accepting = [one.usage for one in SOURCES.values() if option in one.options]
            raise DataError(
                f"{name}: --{option.replace('_', '-')} does not apply here; only {', '.join(accepting[:-1])} "
                f"and {accepting[-1]} accept it; leave it out"
            )


def peek(source: str, options: Options) -> DataSpec | None:
    """What is known about a source in a moment, before its examples are read; None where nothing is.

    >>> peek("faces", Options()).classes
    ()

    Raises:
        DataError: as `load`, as far as it is known.
    """
    name, argument, _ = parse(source)
    check_usage(name, argument, options)
    module = import_module(f"simulacra.data.sources.{SOURCES[name].module}")
    look: Callable[[str, str, Options], DataSpec | None] | None = getattr(module, "peek", None)
    return look(name, argument, options) if look else None


def load(source: str, options: Options | None = None, spec: DataSpec | None = None) -> Data:
    """Load a source with its three splits.

    Args:
        source: as the user writes it.
        options: how it is read.
        spec: of a run, whose schema encodes the rows of a table.

    >>> data = load("digits")
    >>> data.spec.shape, len(data.train) + len(data.validation) + len(data.test)
    ((1, 8, 8), 1797)

    Raises:
        DataError: the source is unknown or missing, holds files that cannot be used, or does not accept an
            option.
    """
    name, argument, _ = parse(source)
    options = options or Options()
    check_usage(name, argument, options)
    module = import_module(f"simulacra.data.sources.{SOURCES[name].module}")
    if name in ENCODED:
        return module.load(name, argument, options, spec)
    data: Data = module.load(name, argument, options)
    if options.target is not None:
        from simulacra.data.images.attributes import with_classes

        return with_classes(data, options.target)
    return data.swapped() if options.swap else data
