"""`simulacra report RUN`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from simulacra.cli.usage import parse


@dataclass(frozen=True)
class Report:
    """Write report.html and MODEL_CARD.md into a run folder."""

    run: tyro.conf.Positional[Path]
    """run folder"""


def main(argv: list[str]) -> int:
    arguments = parse(Report, argv, "simulacra report")
    from simulacra.run import Run

    run = Run(arguments.run)
    run.check_trained()
    from simulacra.report.model_card_file import write_model_card
    from simulacra.report.page import write_report

    write_model_card(run)
    print(f"report: {write_report(run)}")
    return 0
