"""Data sources: `load("digits")`, `load("folder:holiday.zip", Options(image_size=64))`.

A source is written `NAME`, `NAME:ARGUMENT`, and with `@split` where a command reads one split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from simulacra.data.spec import SPLITS, Data, Dataset, DataSpec, Truth
from simulacra.errors import DataError, nearest

__all__ = [
    "SOURCES",
    "SPLITS",
    "Data",
    "DataSpec",
    "Dataset",
    "Options",
    "Truth",
    "load",
    "parse",
    "split_of",
]


@dataclass(frozen=True)
class Options:
    """How a source is read.

    Attributes:
        image_size: height and width in pixels, 4 to 4096; None keeps the source's own.
        channels: 1 for grey, 3 for colour; None keeps the source's own.
        skip_bad: go on without the files that cannot be used.
        target: of a table, the columns to be predicted, with commas between them; of data with attributes,
            the one that becomes the class, as `attributes.classes` takes it.
        swap: of pairs of pictures, exchange the example and its target.

    Raises:
        DataError: the size or the channels are none of these.
    """

    image_size: int | None = None
    channels: int | None = None
    skip_bad: bool = False
    target: str | None = None
    swap: bool = False

    def __post_init__(self) -> None:
        if self.image_size is not None and not 4 <= self.image_size <= 4096:
            raise DataError(f"image size {self.image_size} is out of range: choose from 4 to 4096 pixels")
        if self.channels not in (None, 1, 3):
            raise DataError(f"{self.channels} channels are not possible: choose 1 (grey) or 3 (colour)")


# name -> (module with `load(argument, options) -> Data`, how it is written, what it is)
SOURCES = {
    "digits": (
        "digits",
        "digits",
        "1,797 real handwritten digits, 8x8 grey (scikit-learn's, nothing to download)",
    ),
    "faces": (
        "faces",
        "faces[:N][,glasses=P]",
        "N drawn colour faces with every factor known, a share P with glasses (default 10,000, 0.4)",
    ),
    "face-outlines": (
        "faces",
        "face-outlines[:N][,glasses=P]",
        "N pairs: the line drawing of a face, and the face (default 10,000, 0.4)",
    ),
    "gaussians-8": ("toys", "gaussians-8[:N]", "N points of 8 normals on a circle (default 50,000)"),
    "gaussians-25": ("toys", "gaussians-25[:N]", "N points of 25 normals on a grid (default 50,000)"),
    "rings": ("toys", "rings[:N]", "N points near 4 concentric circles (default 50,000)"),
    "moons": ("toys", "moons[:N]", "N points near two interleaved half circles (default 50,000)"),
    "swiss-roll": ("toys", "swiss-roll[:N]", "N points near a spiral (default 50,000)"),
    "checkerboard": (
        "toys",
        "checkerboard[:N]",
        "N points on the dark squares of a 4x4 board (default 50,000)",
    ),
    "bishop-inverse": (
        "bishop_inverse",
        "bishop-inverse[:N]",
        "N pairs of Bishop's inverse problem, predict t from x (default 50,000)",
    ),
    "robot-arm": (
        "robot_arm",
        "robot-arm[:N][,joints=J]",
        "N hands of an arm, predict its 1 to 8 joint angles (default 50,000, 2 joints)",
    ),
    "mnist": ("idx", "mnist", "60,000 + 10,000 handwritten digits, 28x28 grey"),
    "fashion-mnist": ("idx", "fashion-mnist", "60,000 + 10,000 pieces of clothing, 28x28 grey"),
    "folder": (
        "folder",
        "folder:PATH",
        "a folder or .zip of pictures; labels from sub-folders or labels.csv",
    ),
    "pairs": (
        "pairs",
        "pairs:PATH",
        "pairs of pictures, predict B from A: halves of one file, or folders A and B",
    ),
    "unpaired": (
        "unpaired",
        "unpaired:PATH",
        "pictures of two domains: trainA, trainB, testA, testB, or any two folders",
    ),
    "npz": ("npz", "npz:PATH", "a NumPy archive with images or vectors, and labels or targets"),
    "csv": ("tables", "csv:PATH", "a table of numbers; --target names the columns to be predicted"),
    "diabetes": ("bundled", "diabetes", "442 patients: 10 measures, predict the disease's progression"),
    "iris": ("bundled", "iris", "150 flowers: 4 measures, 3 species"),
    "wine": ("bundled", "wine", "178 wines: 13 measures, 3 growers"),
    "breast-cancer": ("bundled", "breast-cancer", "569 tumours: 30 measures, malignant or benign"),
}

# the sources of which `Options.target` chooses what is predicted
TAKE_TARGET = ("csv", "faces", "folder", "npz")
# and those of which `Options.swap` exchanges example and target
TAKE_SWAP = ("pairs", "face-outlines")


def parse(source: str) -> tuple[str, str, str | None]:
    """Split a source into its name, its argument and its split.

    >>> parse("folder:holiday.zip@test")
    ('folder', 'holiday.zip', 'test')
    >>> parse("digits")
    ('digits', '', None)

    Raises:
        DataError: there is no source of that name, or no split of that name.
    """
    name, _, argument = source.partition(":")
    head, at, split = (argument if argument else name).rpartition("@")
    if at and (split in SPLITS or "/" not in split):
        if split not in SPLITS:
            raise DataError(f"data '{source}': no split '{split}', {nearest(split, SPLITS)}")
        name, argument = (name, head) if argument else (head, "")
    if name not in SOURCES:
        raise DataError(f"data '{source}': unknown source '{name}', {nearest(name, SOURCES)}")
    return name, argument, split if at and split in SPLITS else None


def split_of(source: str | None) -> str:
    """The split that a source names; `test` when it names none.

    >>> split_of("digits@validation"), split_of("digits"), split_of(None)
    ('validation', 'test', 'test')
    """
    return (parse(source)[2] if source else None) or "test"


def refuse_unused(name: str, options: Options) -> None:
    """What would be ignored is an error.

    Raises:
        DataError: the source of that name takes no target or is not swapped, and the options say so.
    """
    if options.target is not None and name not in TAKE_TARGET:
        raise DataError(
            f"{name}: a target can only be chosen for {_written(TAKE_TARGET)}; leave '{options.target}' out"
        )
    if options.swap and name not in TAKE_SWAP:
        raise DataError(f"{name}: only {_written(TAKE_SWAP)} can be swapped; leave --swap out")


def _written(names: Sequence[str]) -> str:
    *some, last = (SOURCES[one][1] for one in names)
    return f"{', '.join(some)} and {last}"


def load(source: str, options: Options | None = None) -> Data:
    """Load a source with its three splits.

    >>> data = load("digits")
    >>> data.spec.shape, len(data.train) + len(data.validation) + len(data.test)
    ((1, 8, 8), 1797)

    Raises:
        DataError: the source is unknown, missing, or holds files that cannot be used.
    """
    name, argument, _ = parse(source)
    options = options or Options()
    refuse_unused(name, options)
    module = import_module(f"simulacra.data.{SOURCES[name][0]}")
    data: Data = module.load(name, argument, options)
    if options.target is not None and name != "csv":
        from simulacra.data.attributes import labelled

        return labelled(data, options.target)
    return data.swapped() if options.swap else data
