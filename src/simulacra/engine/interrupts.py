"""Signals in a training: the first one saves, a second one stops."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from simulacra.engine.distributed import is_first_process

# what ends a training: Ctrl-C, a closed terminal, a stopped machine, a scheduler's notice
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
NOTICE = b"\nfinishing the step and saving; press again to stop without saving\n"


class Interrupted(BaseException):
    """A signal came where work may be broken off. No error: nothing catches it by the way."""


class Interrupts:
    """Whether a signal came.

    Attributes:
        number: of the signal; 0 before it comes.
    """

    def __init__(self) -> None:
        self.number = 0
        self._breakable = False

    def __bool__(self) -> bool:
        return self.number != 0

    @contextmanager
    def breaking_off(self) -> Iterator[None]:
        """A signal that came, or comes inside, raises `Interrupted`."""
        self._breakable = True
        try:
            if self:
                raise Interrupted
            yield
        finally:
            self._breakable = False

    def handle(self, number: int, frame: object) -> None:
        """Note a signal."""
        self.number = number
        if is_first_process():
            # print could be what is being interrupted, and a lost terminal takes nothing
            with suppress(OSError):
                os.write(2, NOTICE)
        if self._breakable:
            raise Interrupted


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Watch the signals; a second one acts as usual. What is ignored, as SIGHUP under nohup, stays so."""
    found = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield found
        return
    numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
    before = {s: signal.getsignal(s) for s in numbers}
    before = {s: handler for s, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for s, handler in before.items():
            signal.signal(s, handler)

    def handle(number: int, frame: object) -> None:
        restore()
        found.handle(number, frame)

    for s in before:
        signal.signal(s, handle)
    try:
        yield found
    finally:
        restore()
