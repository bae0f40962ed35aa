"""Work over many files: on all cores, and with a progress bar."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def parallel(work: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
    """`map` on all cores, in order, holding only a few results at a time.

    When it is left early, the work that no thread has begun is not done.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > 4 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # after an error, an interruption, or when no more is wanted
            pool.shutdown(wait=False, cancel_futures=True)


def progress(items: Iterable[A], total: int, doing: str) -> Iterator[A]:
    """Show how far it is on standard error, once it has taken two seconds, when that is a terminal."""
    start = time.monotonic()
    with ExitStack() as stack:
        advance: Callable[[], None] | None = None
        for done, item in enumerate(items, 1):
            if advance is None and sys.stderr.isatty() and time.monotonic() - start > 2:
                from rich.console import Console
                from rich.progress import Progress

                bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
                task = bar.add_task(doing, total=total, completed=done)
                advance = partial(bar.advance, task)
            elif advance is not None:
                advance()
            yield item
