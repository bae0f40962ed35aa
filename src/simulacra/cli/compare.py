"""`simulacra compare RUN RUN... [--data SOURCE] [--metrics nll,...] [--json]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from simulacra.cli.usage import Overwrite, parse
from simulacra.errors import ConfigError, abridge

if TYPE_CHECKING:
    from simulacra.run import Run


@dataclass(frozen=True)
class Compare:
    """Measure runs in the same way on the same examples; * marks the best. Also lists how their settings
    differ."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """two or more run folders"""
    data: str | None = None
    """data source, e.g. mnist@validation; by default the test split that all were trained with"""
    metrics: str | None = None
    """comma-separated groups of metrics, e.g. nll,fid; those of 'evaluate' when not given"""
    features: str | None = None
    """features that samples are compared by: raw, efficientnet-lite0, inception, or the run folder of a
    classifier; raw when not given"""
    importance_samples: int = 100
    """draws of z for an estimated log-likelihood"""
    examples: int | None = None
    """number of examples, the first of the split; all when not given"""
    out: Path | None = None
    """compare.png: what each run encodes, reconstructs, decodes between examples and samples, side by side"""
    overwrite: Overwrite = False
    seed: int = 0
    """random seed"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print one JSON object and nothing else"""


def main(argv: list[str]) -> int:
    arguments = parse(Compare, argv, "simulacra compare")
    from simulacra.run import Run

    if len(arguments.runs) < 2:
        raise ConfigError("compare: name two or more run folders; 'simulacra runs' lists them")
    runs = {str(path): Run(path) for path in arguments.runs}
    for run in runs.values():
        run.check_trained()
    if arguments.out is not None:
        from simulacra.files import check_unused
        from simulacra.images import check_png

        check_png(arguments.out)
        check_unused(arguments.out, overwrite=arguments.overwrite)
    different = differences(runs)
    import json

    from simulacra.tasks.compare import compare

    features: object = arguments.features or "raw"
    if Path(str(features), "config.yaml").is_file():
        features = Run(str(features)).load()
    found = compare(
        [str(path) for path in arguments.runs],
        arguments.data,
        metrics=arguments.metrics.split(",") if arguments.metrics else None,
        importance_samples=arguments.importance_samples,
        examples=arguments.examples,
        features=features,
        seed=arguments.seed,
    )
    if arguments.out is not None:
        _draw(list(runs.values()), arguments.out, arguments.overwrite)
    if arguments.json:
        print(json.dumps({**found.as_dict(), "settings": different}))
        return 0
    rows = [["settings that differ", *runs], *([key, *map(_written, row)] for key, row in different.items())]
    rows = [[abridge(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if different else [["the settings are the same"]]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())
    print(f"\n{found}")
    if arguments.out is not None:
        print(arguments.out)
    return 0


def _draw(runs: list[Run], out: Path, overwrite: bool) -> None:
    from simulacra.files import replacing
    from simulacra.report import figures
    from simulacra.report.side_by_side import side_by_side

    figure = side_by_side(runs, [run.path.resolve().name for run in runs])
    with replacing(out, overwrite) as file:
        file.write_bytes(figures.png(figure, dpi=150, ground="white"))


def differences(runs: dict[str, Run]) -> dict[str, list[Any]]:
    """Settings that all runs have, and not with the same value: setting -> its value in each."""
    settings = [run.config.settings() for run in runs.values()]
    rows = {key: [one.get(key) for one in settings] for key in settings[0]}
    return {
        key: row
        for key, row in rows.items()
        if all(key in one for one in settings) and any(value != row[0] for value in row)
    }


def _written(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "-" if value is None else str(value)
