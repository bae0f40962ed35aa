"""Tries mutated inputs in this process, with limits of time and memory.

`python -m tests.torture.worker KIND RUNS FOLDER SEED FIRST LAST`: RUNS holds trained runs to be mutated,
and kinds separated by commas take turns.

It prints a line before and after each one; what the last line begins is what ended the process.
"""

from __future__ import annotations

import faulthandler
import random
import shutil
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from types import FrameType

from simulacra.data import Options, load
from simulacra.errors import RunError, SimulacraError
from tests.torture import mutations

SECONDS = 10
# of address space, beside what the libraries take
MEMORY = 2**31


class Hang(BaseException):
    """An input took longer than `SECONDS`."""


def _folder(base: Path, place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place)
    return place


def _command(*words: str) -> None:
    """A command, whose errors are sentences."""
    from simulacra.cli.main import main

    with suppress(SystemExit):
        main(words)


def _runs(bases: Path, rng: random.Random, place: Path) -> Path:
    return _folder(rng.choice(sorted(base for base in bases.iterdir() if base.is_dir())), place)


def config(bases: Path, rng: random.Random, place: Path) -> None:
    from simulacra.api import check
    from simulacra.report.reproduce import command
    from simulacra.run import Run

    run = Run(_runs(bases, rng, place))
    whole = run.config
    file = place / "config.yaml"
    file.write_bytes(mutations.config(rng, file.read_bytes()))
    _command("runs", str(place))
    _command("runs", "check", str(place))
    _command("sample", str(place), "-n", "2", "--out", str(place / "samples.npz"))
    with suppress(SimulacraError):
        command(run.config)
    with suppress(SimulacraError):
        check(run, whole.model, whole.source, whole.config, whole.training, whole.options)
    if rng.random() < 0.1:
        _command("evaluate", str(place), "--examples", "20", "--importance-samples", "2")


def metrics(bases: Path, rng: random.Random, place: Path) -> None:
    from simulacra.engine.divergence import divergence
    from simulacra.engine.events import Events
    from simulacra.report.curves import curves
    from simulacra.run import Run

    run = Run(_runs(bases, rng, place))
    run.metrics.write_bytes(mutations.metrics(rng, run.metrics.read_bytes()))
    _command("runs", str(place))
    _command("runs", "check", str(place))
    events = run.events()
    divergence(events)
    with Events(run, 1, 1, 2, quiet=False):
        pass
    if rng.random() < 0.05:
        _command("report", str(place))
    elif rng.random() < 0.2:
        import matplotlib.pyplot as plt

        curves(events)
        plt.close("all")


def checkpoint(bases: Path, rng: random.Random, place: Path) -> None:
    from simulacra.data import load
    from simulacra.engine import checkpoint
    from simulacra.engine.distributed import launch
    from simulacra.engine.session import Session
    from simulacra.run import Run

    run = Run(_runs(bases, rng, place))
    *before, last = checkpoint.paths(run)
    raw = last.read_bytes()
    hostile = rng.random() < 0.4
    made = mutations.sealed(rng, raw) if hostile else mutations.flipped(rng, raw)
    last.write_bytes(made)
    try:
        saved, faults = checkpoint.load(run)
    except RunError:
        assert not before, "there is a whole one before it"
        return
    assert hostile or made == raw or faults, "a changed byte was not noticed"
    config = run.config
    session = Session(config, load(config.source, config.options), launch(config.training))
    best = checkpoint.Best() if config.training.keep == "best" else None
    assert saved is not None
    with suppress(RunError):
        checkpoint.restore(saved, session, best)
        session.play(min(saved.step, session.steps - 1))


def weights(bases: Path, rng: random.Random, place: Path) -> None:
    from simulacra.run import Run

    run = Run(_runs(bases, rng, place))
    raw = run.weights.read_bytes()
    hostile = rng.random() < 0.4
    made = mutations.sealed(rng, raw) if hostile else mutations.flipped(rng, raw)
    run.weights.write_bytes(made)
    try:
        run.load()
    except RunError:
        return
    assert hostile or made == raw, "a changed byte was not noticed"
    _command("sample", str(place), "-n", "2", "--out", str(place / "samples.npz"))


def image(_: Path, rng: random.Random, place: Path) -> None:
    from simulacra.data.images.decode import decode, header

    raw = mutations.image(rng)
    for read in (header, lambda raw: decode(raw, 8, 3)):
        with suppress(SimulacraError):
            read(raw)


def _source(source: str, **options: object) -> None:
    from simulacra.data.check import check

    for read in (load, check):
        with suppress(SimulacraError):
            read(source, Options(**options))  # type: ignore[arg-type]  # options of any kind


def _file(place: Path, suffix: str, raw: bytes) -> Path:
    file = place.with_suffix(suffix)
    file.write_bytes(raw)
    return file


def archive(_: Path, rng: random.Random, place: Path) -> None:
    _source(f"folder:{_file(place, '.zip', mutations.archive(rng))}", skip_bad=rng.random() < 0.5)


def table(_: Path, rng: random.Random, place: Path) -> None:
    file = _file(place, ".csv", mutations.table(rng))
    _source(f"csv:{file}", target=rng.choice((None, "y", "n", "date")))


def parquet(_: Path, rng: random.Random, place: Path) -> None:
    _source(f"parquet:{_file(place, '.parquet', mutations.parquet(rng))}", target=rng.choice((None, "y")))


def npz(_: Path, rng: random.Random, place: Path) -> None:
    _source(f"npz:{_file(place, '.npz', mutations.npz(rng))}")


def idx(_: Path, rng: random.Random, place: Path) -> None:
    raw = mutations.idx(rng)
    suffix = ".idx.gz" if raw.startswith(b"\x1f\x8b") else ".idx"
    _source(f"idx:{_file(place, suffix, raw)}")


KINDS: dict[str, Callable[[Path, random.Random, Path], None]] = {
    one.__name__: one
    for one in (config, metrics, checkpoint, weights, image, archive, table, parquet, npz, idx)
}


def _limit_memory() -> None:
    import resource

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _hang(signum: int, frame: FrameType | None) -> None:
    raise Hang


def main(kind: str, bases: str, folder: str, seed: str, first: str, last: str) -> None:
    # what the library imports late counts as the library, not as an input
    import lightning_fabric  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import torch

    import simulacra.cli.evaluate
    import simulacra.cli.report
    import simulacra.cli.sample
    import simulacra.data.check
    import simulacra.engine.loop
    import simulacra.tasks.evaluate  # noqa: F401

    load("digits")
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    if sys.platform == "linux":
        _limit_memory()
    signal.signal(signal.SIGALRM, _hang)
    report, nothing = sys.stdout, StringIO()
    kinds = kind.split(",")
    for i in range(int(first), int(last)):
        nothing.truncate(0)
        print("begin", i, file=report, flush=True)
        rng = random.Random(f"{kind} {seed} {i}")
        signal.alarm(SECONDS)
        # where the interpreter does not come to handle the alarm
        faulthandler.dump_traceback_later(SECONDS + 5, exit=True)
        fault = ""
        try:
            with redirect_stdout(nothing), redirect_stderr(nothing):
                KINDS[kinds[i % len(kinds)]](Path(bases), rng, Path(folder) / "mutant")
        except Hang:
            fault = f"took longer than {SECONDS} s\n{traceback.format_exc()}"
        except BaseException:
            fault = traceback.format_exc()
        finally:
            signal.alarm(0)
            faulthandler.cancel_dump_traceback_later()
        print("end", i, repr(fault), file=report, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
