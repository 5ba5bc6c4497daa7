"""Threads that mostly wait: many of them, small, and none that keeps the program from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

STACK_BYTES = 512 * 1024
_STARTING = threading.Lock()


@contextmanager
def small_stacks() -> Iterator[None]:
    """Threads started in here get a stack of 512 KiB. Only start them in here: others wait to start theirs.

    With stacks of 8 MiB the kernel may give each thread a huge page of 2 MiB.
    """
    with _STARTING:
        before = threading.stack_size(STACK_BYTES)
        try:
            yield
        finally:
            threading.stack_size(before)


def start_threads(calls: Iterable[tuple[Callable[..., object], tuple[object, ...]]], *, name: str) -> None:
    """Run each call in a thread of its own; the end of the program waits for none."""
    with small_stacks():
        for function, arguments in calls:
            threading.Thread(target=function, args=arguments, name=name, daemon=True).start()
