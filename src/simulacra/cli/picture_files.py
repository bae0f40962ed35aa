"""What a verb that makes pictures of pictures says before it begins."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simulacra.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from simulacra.data.spec import DataSpec
    from simulacra.run import Run
    from simulacra.tasks.picture_files import Fitted

# of files that are left out, the endings that are named
ENDINGS = 5


def report_plan(
    inputs: Sequence[Path], out: Path, bad: Mapping[Path, str], there: int, results: str, makes: str
) -> None:
    """Say on standard error which files cannot be used, which are skipped, and what is there already.

    Args:
        inputs: as the user named them.
        out: the folder of the results.
        bad: of each file that cannot be used the reason.
        there: how many pictures are done already.
        results: what the results are called, e.g. `translations`.
        makes: what the verb does to a picture, e.g. `translates`.
    """
    from simulacra.tasks.picture_files import display, skipped_files

    for source, reason in bad.items():
        print(f"simulacra: {display(source)}: {reason}", file=sys.stderr)
    for folder, endings in skipped_files(inputs, out).items():
        print(f"simulacra: {display(folder)}: {describe_skipped(endings)}", file=sys.stderr)
    if there:
        print(
            f"simulacra: {display(out)}: already has {results} of {there:,} of the images; they are kept."
            f" --overwrite {makes} them again",
            file=sys.stderr,
        )


def describe_skipped(endings: Counter[str]) -> str:
    """A line about the files of a folder that are skipped, the most frequent endings first.

    >>> describe_skipped(Counter([".txt", ".heic", ".heic", ""])).split(";")[0]
    '4 files are skipped, since their endings (.heic, .txt, none) are not those of images'
    """
    from simulacra.data.images.files import SUFFIXES
    from simulacra.errors import printable

    named = [printable(ending) or "none" for ending, _ in endings.most_common(ENDINGS)]
    listed = ", ".join(named + ["..."] * (len(endings) > ENDINGS))
    if (n := endings.total()) == 1:
        what = f"1 file is skipped, since its ending ({listed}) is not that of an image"
    else:
        what = f"{n:,} files are skipped, since their endings ({listed}) are not those of images"
    return f"{what}; {', '.join(SUFFIXES)} are read"


def examples_of(run: Run, source: str, most: int | None = None) -> tuple[np.ndarray, list[str]]:
    """The first examples of a source as the model of a run takes them, and names: of their files, or rows.

    Raises:
        DataError: there are none.
    """
    from simulacra.data import split_of

    split = split_of(source)
    data = run.data(source)
    dataset = data.split(split).take(slice(0, most))
    if len(dataset) == 0:
        raise DataError(f"{source}@{split}: no examples; choose another split")
    rows = range(len(dataset)) if dataset.rows is None else dataset.rows.tolist()
    ending = ".png" if run.config.spec.kind == "image" else ""
    return dataset.x, [data.names[row] if data.names else f"{row:05d}{ending}" for row in rows]


def count_images(n: int) -> str:
    return f"{n:,} {'image' if n == 1 else 'images'}"


def describe_differences(spec: DataSpec, read: Sequence[Fitted], done: str) -> None:
    """Say once on standard error how images differ from those that the model takes.

    Args:
        spec: of the model.
        read: the images.
        done: what was done to them, e.g. `edited`.
    """
    channels, height, width = spec.shape
    resized, cropped, converted = (
        sum(getattr(one, name) for one in read) for name in ("resized", "cropped", "converted")
    )
    what = []
    if resized:
        what.append(f"{count_images(resized)} of another size {'was' if resized == 1 else 'were'} resized")
    if cropped:
        what.append(f"of {cropped:,} only the middle square was {done}")
    if converted:
        kind = "grey" if channels == 1 else "colour"
        what.append(f"{count_images(converted)} {'was' if converted == 1 else 'were'} converted to {kind}")
    if what:
        print(f"simulacra: the model takes {width}x{height} pixels; {'; '.join(what)}", file=sys.stderr)


def refuse_unread(unread: int, done: int) -> None:
    """Raises DataError if images could not be read."""
    if unread:
        raise DataError(f"{unread:,} of {done + unread:,} inputs could not be read, as reported above")
