"""What a verb that makes pictures of pictures says before it begins."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

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
