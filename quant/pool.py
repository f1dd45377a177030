"""Torch work on all cores whose results do not depend on their number.

Every piece of work runs on one thread of torch's, whatever the machine has: sums are then made in
one order, and equal input gives equal bits everywhere where torch's kernels do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def run_all(work: Callable[[T], R], pieces: Iterable[T]) -> list[R]:
    """`work` of every piece, in order."""
    return list(executor().map(work, pieces))


def run_alone(work: Callable[[], R]) -> R:
    """One piece of work as all others are run: on one thread of torch's."""
    return executor().submit(work).result()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps torch to one thread outside of the pool, whose work idle threads would slow down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def executor() -> ThreadPoolExecutor:
    """One thread a core that this process may use."""
    return ThreadPoolExecutor(available_cores(), "haq", torch.set_num_threads, (1,))


KEPT_TO: list[int] = []
"""Cores that `keep_to` has left to this process."""


def keep_to(cores: int) -> None:
    """Leave the other cores to other processes from now on; called before any work."""
    KEPT_TO[:] = [cores]
    torch.set_num_threads(cores)


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return min([len(os.sched_getaffinity(0)), *KEPT_TO])
    return min([os.cpu_count() or 1, *KEPT_TO])
