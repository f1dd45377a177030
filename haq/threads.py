"""How the threads of numerical libraries behave in programs here, which seldom run alone."""

from __future__ import annotations

from collections.abc import Mapping

THREADS = {"OPENBLAS_NUM_THREADS": "1", "GOMP_SPINCOUNT": "1000"}
"""Environment of programs, read when numpy and torch are first imported.

The systems of equations that numpy solves are small: threads only wait for each other, on a busy
machine for most of a search. Torch's threads wait for the last one of them by spinning, libgomp's
300,000 rounds unless told otherwise, and keep it from a core that is shared: of two trainings at
once on two cores each took more than 20 times as long as alone, and twice as long with these.
"""


def without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a program that measures: threads there are as they are on any board."""
    return {name: value for name, value in environ.items() if THREADS.get(name) != value}
