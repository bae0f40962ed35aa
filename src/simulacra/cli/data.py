"""`simulacra data`: list the sources, check one, or preview its images or sentences."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from math import ceil, sqrt
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from simulacra.cli.usage import Overwrite
from simulacra.cli.usage import parse as parse_options
from simulacra.data import SOURCES, Dataset, DataSpec, Options, load, parse
from simulacra.data.check import LINES, SourceCheck, check
from simulacra.data.images.labels import FILE_NAME
from simulacra.data.paths import data_folders
from simulacra.data.tables.summary import ColumnSummary
from simulacra.data.text.summary import TextSummary
from simulacra.errors import ConfigError, DataError, abridge, nearest
from simulacra.files import check_unused, write_text
from simulacra.images import grid, save_png

# entries of a long list that are printed; --json has all
SHOWN, SHOWN_COLUMNS = 20, 60
# letters of the values of a column
VALUES = 120


@dataclasses.dataclass(frozen=True)
class List:
    """List the sources, and the folders where named data sets are found."""


@dataclasses.dataclass(frozen=True)
class _Checked:
    source: tyro.conf.Positional[str]
    json: tyro.conf.FlagCreatePairsOff[bool] = False


@dataclasses.dataclass(frozen=True)
class Check(Options, _Checked):
    """Check every file of a source, or every column of a table; exit 1 if any of the files cannot be used.

    Attributes:
        source: data source, e.g. folder:holiday.zip.
        json: print one JSON object and nothing else.
    """

    channels: Literal[1, 3] | None = None


@dataclasses.dataclass(frozen=True)
class _Sheet:
    source: tyro.conf.Positional[str]
    out: Path | None = None
    overwrite: Overwrite = False
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 64
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Preview(Options, _Sheet):
    """Tile random images of a source into a PNG; pairs side by side. Sentences are printed.

    Attributes:
        source: data source, e.g. digits or folder:holiday.zip@test; the training split by default.
        out: the .png to write; of sentences a .txt, and without it they are printed.
        n: number of images or sentences.
        seed: random seed of the choice.
    """


VERBS: dict[str, type[List | Check | Preview]] = {"list": List, "check": Check, "preview": Preview}

HELP = """usage: simulacra data VERB ...

  list     list the sources, and the folders where named data sets are found
  check    check every file of a source
  preview  tile random images of a source into a PNG, or print random sentences

  simulacra data VERB --help    the options of a verb
"""


def main(argv: list[str]) -> int:
    """Run `simulacra data ARGV`; returns the exit code.

    Raises:
        SimulacraError: the source or the output is at fault.
        SystemExit: bad usage (2), or --help (0).
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0 if argv else 2
    if argv[0] not in VERBS:
        raise ConfigError(f"data: unknown verb '{argv[0]}', {nearest(argv[0], VERBS)}")
    verb = parse_options(VERBS[argv[0]], argv[1:], f"simulacra data {argv[0]}")
    if isinstance(verb, Check):
        return _check(verb)
    if isinstance(verb, Preview):
        return _preview(verb)
    return _list()


def _list() -> int:
    width = max(len(source.usage) for source in SOURCES.values())
    for source in SOURCES.values():
        print(f"{source.usage:<{width}}  {source.summary}")
    print("\nSOURCE@train, SOURCE@validation and SOURCE@test are its splits.")
    print("Folders searched for data sets and relative paths (set SIMULACRA_DATA to add one):")
    for folder in data_folders():
        print(f"  {folder}")
    return 0


def _check(verb: Check) -> int:
    report = check(verb.source, verb)
    ok = report.ok or (verb.skip_bad and not report.problems)
    if verb.json:
        print(json.dumps({"ok": ok, **dataclasses.asdict(report)}))
    else:
        print("\n".join(_lines(report, verb.skip_bad)))
    return 0 if ok else 1


def _lines(report: SourceCheck, skip_bad: bool) -> list[str]:
    lines = [f"{name}: {reason}" for name, reason in report.bad.items()]
    lines += report.problems
    # of a table a note counts them
    listed = () if report.table else report.duplicates
    lines += [f"duplicates: {_listed(group)}" for group in listed[:SHOWN]]
    if len(listed) > SHOWN:
        lines.append(f"duplicates: {len(listed) - SHOWN} more; --json lists them")
    lines += [f"note: {note}" for note in report.notes]
    lines.append(f"{_kind(report)}{_counts(', from ', report.sizes)}")
    inputs = sum(column.role == "input" for column in report.table)
    if inputs and inputs < report.shape[0]:
        lines[-1] += f", which encode {inputs} column{'' if inputs == 1 else 's'}"
    if report.text is not None:
        lines += _text(report.text)
    if report.table:
        lines += _table(report.table)
    elif report.columns:
        lines.append(f"columns: {_shown(report.columns)}")
    if report.target:
        named = report.target.columns
        lines.append(f"target: {f'{_shown(named)} (numbers)' if named else _kind(report.target)}")
    lines.append(_counts("splits: ", report.splits))
    if report.split_by:
        lines.append(f"split by {report.split_by}")
    if report.classes:
        lines.append(_counts("classes: ", report.classes))
    if report.attributes:
        lines.append(f"attributes: {_shown(report.attributes)}")
    usable = report.total - len(report.bad)
    if report.bad:
        remedy = "are skipped" if skip_bad else "cannot be used; remove them, or train with --skip-bad"
        verdict = f"{len(report.bad)} {remedy}"
    else:
        verdict = f"{FILE_NAME} needs corrections" if report.problems else "ok"
    return [*lines, f"{report.source}: {usable} of {report.total} can be used: {verdict}"]


def _table(columns: Sequence[ColumnSummary]) -> list[str]:
    """A line for each column of a table."""
    cells = [["column", "kind", "missing", "values"]]
    for one in columns[:SHOWN_COLUMNS]:
        kind = f"{one.kind} (target)" if one.role == "target" else one.kind or one.role
        cells.append(
            [abridge(one.name), kind, f"{one.missing:,}" if one.missing else "", abridge(one.values, VALUES)]
        )
    widths = [max(len(row[i]) for row in cells) for i in range(3)]
    lines = [
        f"  {name:{widths[0]}}  {kind:{widths[1]}}  {missing:>{widths[2]}}  {values}"
        for name, kind, missing, values in cells
    ]
    if len(columns) > SHOWN_COLUMNS:
        lines.append(f"  and {len(columns) - SHOWN_COLUMNS} more columns; --json lists them")
    return lines


def _text(found: TextSummary) -> list[str]:
    """Lines about sentences."""
    lengths = ", ".join(f"{name} {n}" for name, n in found.lengths.items())
    unknown = ", ".join(f"{100 * share:.2f}% of {name}" for name, share in found.unknown.items())
    return [
        f"tokens of a sentence: {lengths}",
        f"{found.vocabulary}; unknown: {unknown or 'none'}",
        f"copies: {found.equal:,} sentences are equal to an earlier one, {found.near:,} more differ from one"
        " only in case and signs; copies share a split",
        "first sentences:",
        *(f"  {abridge(text, VALUES)}" for text in found.first),
    ]


def _kind(described: SourceCheck | DataSpec) -> str:
    size = "x".join(map(str, described.shape))
    if described.kind == "image":
        return f"images of {size}"
    if described.kind == "text":
        return f"sentences of at most {described.shape[0] - 1} tokens"
    return f"vectors of {size} number{'' if size == '1' else 's'}"


def _shown(names: Sequence[str]) -> str:
    return _listed([abridge(name) for name in names])


def _listed(names: Sequence[str]) -> str:
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more])


def _counts(title: str, counts: dict[str, int]) -> str:
    if not counts:
        return ""
    return title + _shown([f"{name} {count}" for name, count in counts.items()])


def _preview(verb: Preview) -> int:
    if verb.n < 1 or verb.seed < 0:
        raise ConfigError(f"-n {verb.n} --seed {verb.seed}: -n must be at least 1, --seed at least 0")
    name, _, split = parse(verb.source)
    if verb.out is None and name not in LINES:
        raise ConfigError("preview: --out is missing (the .png to write)")
    if verb.out is not None and verb.out.is_dir():
        raise ConfigError(f"out: {verb.out} is a folder; name a file to write")
    if verb.out is not None:
        check_unused(verb.out, overwrite=verb.overwrite)
    data = load(verb.source, verb)
    split = split or "train"
    part = data.split(split)
    if data.spec.kind == "vector":
        raise DataError(f"{data.name}: only images and sentences can be previewed, these are rows")
    if len(part) == 0:
        raise DataError(f"{data.name}: the {split} split is empty")
    index = np.random.default_rng(verb.seed).permutation(len(part))[: verb.n]
    if data.spec.vocabulary is not None:
        text = "\n".join(data.spec.vocabulary.decode(part.x[index])) + "\n"
        if verb.out is None:
            print(text, end="")
        else:
            write_text(verb.out, text, verb.overwrite)
            print(f"{verb.out}: {len(index)} of {len(part)} sentences of the {split} split of {data.name}")
        return 0
    assert verb.out is not None, "checked above"
    pairs = data.spec.target is not None and data.spec.target.shape == data.spec.shape
    save_png(_sheet(part.take(index), pairs), verb.out, verb.overwrite)
    what = "pairs" if pairs else "images"
    print(f"{verb.out}: {len(index)} of {len(part)} {what} of the {split} split of {data.name}")
    return 0


def _sheet(part: Dataset, pairs: bool) -> np.ndarray:
    if not pairs or part.target is None:
        return grid(part.x)
    # example, target, example, target, ..., about as wide as high
    both = np.stack([part.x, part.target], axis=1).reshape(-1, *part.x.shape[1:])
    return grid(both, columns=2 * ceil(sqrt(len(part) / 2)))
