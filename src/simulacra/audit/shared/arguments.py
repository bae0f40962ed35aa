"""What every kind of audit takes on the command line, and where its answers go. Imports nothing slow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import tyro


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The last settings of every kind."""

    # file that marks a folder as one whose answers are written anew each time
    marker: ClassVar[str] = ""

    out: Path | None = None
    """folder for audit.html and findings.json; audits/KIND, or RUN/audits/KIND, when not given"""
    run: Path | None = None
    """run folder that the audit belongs to: its answers go there, and into its MODEL_CARD.md"""
    fail_on: Annotated[tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="GATE")] = ()
    """exit 1 if NAME is a finding, or its number is too large: 'NAME>0.1', 'NAME:ratio>1.25'; * in a name
    stands for any letters; may be given several times"""
    overwrite: tyro.conf.FlagCreatePairsOff[bool] = False
    """replace the answers of an earlier audit"""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """print findings.json and nothing else"""


def folder(kind: str, arguments: Shared) -> Path:
    """Where the answers go.

    Raises:
        ConfigError: a run and another folder are given, or the folder is a file.
        RunError: there is no run, or the folder has answers already; those in a run folder are replaced.
    """
    from simulacra.errors import ConfigError
    from simulacra.files import check_unused

    out, run = arguments.out, arguments.run
    if run is not None:
        from simulacra.run import Run

        _ = Run(run).config
        if out is not None:
            raise ConfigError(f"out: with a run the answers go to {run / 'audits' / kind}; leave --out out")
        out = run / "audits" / kind
    out = Path("audits", kind) if out is None else out
    if out.is_file():
        raise ConfigError(f"out: {out} is a file; give a folder")
    check_unused(out / "audit.html", out / "findings.json", overwrite=replaces(arguments, out))
    return out


def replaces(arguments: Shared, out: Path) -> bool:
    """Whether earlier answers in the folder are replaced: on demand, in a run folder, and beside a marker."""
    marked = bool(arguments.marker) and (out / arguments.marker).exists()
    return arguments.overwrite or arguments.run is not None or marked
