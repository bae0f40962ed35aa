"""Ctrl-C in a training: the first one saves, a second one stops."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from simulacra.engine.distributed import is_first_process


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second one acts as usual."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: object) -> None:
        event.set()
        if is_first_process():
            # print could be what is being interrupted
            os.write(2, b"\nfinishing the step and saving; press again to stop without saving\n")
        for s, handler in before.items():
            signal.signal(s, handler)

    for s in before:
        signal.signal(s, handle)
    try:
        yield event
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
