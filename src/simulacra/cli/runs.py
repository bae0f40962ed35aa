"""`simulacra runs [FOLDER]` and `simulacra runs check RUN`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from simulacra.cli.usage import parse

# a longer path of a run moves only its own row
CELL = 60


@dataclass(frozen=True)
class Runs:
    """List runs: model, data, steps, state and key number, the last written first.

    `simulacra runs check RUN` checks that the files of a run are whole.
    """

    folder: tyro.conf.Positional[Path] = Path("runs")
    """folder that has runs in it"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


@dataclass(frozen=True)
class Check:
    """Check that the files of a run are whole: its config, weights, checkpoints and log."""

    run: tyro.conf.Positional[Path]
    """run folder"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


def main(argv: list[str]) -> int:
    if argv[:1] == ["check"]:
        return _check(parse(Check, argv[1:], "simulacra runs check"))
    arguments = parse(Runs, argv, "simulacra runs")
    import json

    from simulacra.errors import abridge
    from simulacra.tasks.list_runs import RunSummary, list_runs

    # the default before the first training
    missing = arguments.folder == Runs.folder and not arguments.folder.exists()
    found = [] if missing else list_runs(arguments.folder)
    if arguments.json:
        print(json.dumps({"runs": [asdict(run) for run in found]}))
        return 0
    if not found:
        print(f"no runs in {arguments.folder}; train one: simulacra train MODEL --data SOURCE")
        return 0

    def cells(run: RunSummary) -> list[str]:
        if run.problem:
            return [run.path, run.state, run.problem]
        steps = "" if run.steps == 0 else f"{run.step:,} of {'?' if run.steps is None else f'{run.steps:,}'}"
        number = "" if run.value is None else f"{run.key} {run.value:.4g} ({run.on})"
        return [run.path, run.state, run.model, run.data, steps, number, _ago(run.age)]

    rows = [["run", "state", "model", "data", "steps", "key number", "last written"], *map(cells, found)]
    # the path of a run is copied from here
    rows = [[row[0], *map(abridge, row[1:])] if len(row) == len(rows[0]) else row for row in rows]
    widths = [
        max(min(len(row[i]), CELL) for row in rows if len(row) == len(rows[0])) for i in range(len(rows[0]))
    ]
    for row in rows:
        # a damaged run has fewer cells, the last of them long
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        print("  ".join(padded).rstrip())
    return 0


def _check(arguments: Check) -> int:
    import json

    from simulacra.run import Run
    from simulacra.tasks.check_run import check_run

    parts = check_run(Run(arguments.run))
    damaged = any(part.problem for part in parts)
    if arguments.json:
        print(json.dumps({"run": str(arguments.run), "parts": [asdict(part) for part in parts]}))
        return int(damaged)
    width = max(len(part.name) for part in parts)
    for part in parts:
        print(f"{part.name:{width}}  {part.problem or 'whole'}")
    return int(damaged)


def _ago(seconds: float) -> str:
    """A time before now.

    >>> _ago(5), _ago(200), _ago(7300), _ago(200_000)
    ('just now', '3 min ago', '2 h ago', '2 days ago')
    """
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 if unit == "days" else 1) * length:
            return f"{seconds // length:.0f} {unit} ago"
    return "just now"
