"""Commands that end at a chosen moment: killed, interrupted, or without the terminal they were started from.

`Launcher` starts a process that has imported everything and computes nothing. It forks one process for each
command, which takes milliseconds where an interpreter takes seconds, and which calls `main(words)` as on the
command line.

Moments are counted in points, so that a seed repeats them: a point is an operation on a file below the
watched folder, just before it happens, or a step of a training.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, Self

STEP = "step"
Terminal = Literal["kept", "closed", "head"]


@dataclass(frozen=True)
class Ending:
    """A signal to a command, and when.

    Attributes:
        point: the number of the point, from 1.
        number: of the signal.
        delay: seconds after the point; None for the point itself, however busy the machine.
    """

    point: int
    number: int = signal.SIGKILL
    delay: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: the exit code, or minus the signal that ended it.
        said: standard output and error.
        points: what each point was: `STEP`, or an operation and the file.
    """

    code: int
    said: str
    points: list[str]


class Launcher:
    """A context in which commands are run, one at a time.

    Args:
        folder: of which the files are watched.
        modules: what commands import, imported once.

    Attributes:
        folder: the same.
        cache: where commands keep what they can make again, in `folder`.
    """

    def __init__(self, folder: Path, *modules: str) -> None:
        self.folder, self.modules = folder, modules
        self.cache = folder / "cache"

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "tests.survival.launcher",
                str(self.folder),
                *self.modules,
            ],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # the end of its input
        self.process.communicate()

    def run(
        self, words: list[str], ending: Ending | None = None, tick: float = 0, terminal: Terminal = "kept"
    ) -> Outcome:
        """Run a command to its end.

        Args:
            words: of the command.
            ending: a signal on the way.
            tick: seconds by which the clock that decides on checkpoints advances with every step, beside the
                time that passes: short trainings have checkpoints at the default `--checkpoint-every`.
            terminal: closed: there is no standard output and error; head: they are `2>&1 | head -1`.
        """
        order = {"words": words, "tick": tick, "terminal": terminal, "ending": ending and asdict(ending)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(order), file=self.process.stdin, flush=True)
        return Outcome(**json.loads(self.process.stdout.readline()))


class Points:
    """In the process of a command: reports each point, and ends the process at one.

    Args:
        folder: of which the files are watched.
        pipe: descriptor that gets a line for each point.
        point: where the process ends itself; 0 for nowhere.
        number: of the signal.
    """

    EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod")

    def __init__(self, folder: str, pipe: int, point: int, number: int) -> None:
        self.folder, self.pipe, self.point, self.number = folder, pipe, point, number
        self.passed = 0

    def watch(self, event: str, values: tuple[Any, ...]) -> None:
        """An audit hook of the interpreter."""
        if event not in self.EVENTS or not isinstance(values[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(values[0])
        if path.startswith(self.folder):
            self.reach(f"{event} {path.removeprefix(self.folder)}")

    def reach(self, name: str) -> None:
        """A point, about to happen."""
        os.write(self.pipe, f"{name}\n".encode())
        self.passed += 1
        if self.passed == self.point:
            os.kill(os.getpid(), self.number)


class Clock:
    """Stands for `time` where checkpoints are decided on, which is asked once a step."""

    def __init__(self, points: Points, tick: float) -> None:
        self.points, self.tick, self.added = points, tick, 0.0

    def monotonic(self) -> float:
        self.points.reach(STEP)
        self.added += self.tick
        return time.monotonic() + self.added


def _serve(folder: str) -> None:
    """Fork a process for each line of standard input, and answer with its outcome."""
    for line in sys.stdin:
        order = json.loads(line)
        said = Path(folder).with_name("said.txt")
        said.write_text("")
        points, pipe = os.pipe()
        reader = None
        if order["terminal"] == "head":
            reader = subprocess.Popen(["head", "-1"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        process = os.fork()
        if process == 0:
            os.close(points)
            _settle(order["terminal"], said, reader)
            _leave(_command(order, folder, pipe))
        os.close(pipe)
        if reader is not None:
            assert reader.stdin is not None
            reader.stdin.close()
        passed = _follow(points, process, order["ending"])
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if reader is not None:
            reader.wait()
        print(json.dumps({"code": code, "said": said.read_text(), "points": passed}), flush=True)


def _settle(terminal: Terminal, said: Path, reader: subprocess.Popen[bytes] | None) -> None:
    """Standard input and output of a command, as a shell gives them."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if terminal == "closed":
        os.close(1)
        os.close(2)
        # as the interpreter does when it is started without
        sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None  # type: ignore[assignment,misc]
        return
    pipe = None if reader is None else reader.stdin
    target = os.open(said, os.O_WRONLY | os.O_APPEND) if pipe is None else pipe.fileno()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)


def _command(order: dict[str, Any], folder: str, pipe: int) -> int:
    from simulacra.cli.main import main
    from simulacra.engine.monitors import checkpoints

    os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
    # one at a point is the command's own; one after it comes from the process that follows
    ending = order["ending"] or {"point": 0, "number": 0, "delay": None}
    own = ending["point"] if ending["delay"] is None else 0
    points = Points(folder, pipe, own, ending["number"])
    checkpoints.time = Clock(points, order["tick"])  # type: ignore[assignment]
    sys.addaudithook(points.watch)
    try:
        return main(order["words"])
    # usage errors
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 70


def _leave(code: int) -> NoReturn:
    """Exit; without the seconds in which the interpreter frees what the launcher imported."""
    for file in (sys.stdout, sys.stderr):
        if file is not None:
            with suppress(OSError):
                file.flush()
    os._exit(code)


def _follow(pipe: int, process: int, ending: dict[str, Any] | None) -> list[str]:
    """The points of a command to its end, which gets its signal on the way."""
    passed = []
    with os.fdopen(pipe) as lines:
        for line in lines:
            passed.append(line.rstrip("\n"))
            if ending and ending["delay"] is not None and len(passed) == ending["point"]:
                time.sleep(ending["delay"])
                os.kill(process, ending["number"])
    return passed


if __name__ == "__main__":
    for name in sys.argv[2:]:
        import_module(name)
    # forks do not copy what the collector would touch
    gc.freeze()
    _serve(sys.argv[1])
