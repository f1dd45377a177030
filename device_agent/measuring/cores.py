"""Which processors a measurement stays on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from device_agent.measuring.conditions import SYS, read_number
from quant.errors import InputError


def stay_on(cores: Sequence[int] | str | None) -> None:
    """Keep this process, and every thread that it starts later, on some cores.

    Raises InputError for cores that are not there or that this process may not use.
    """
    if cores is not None:
        os.sched_setaffinity(0, choose_cores(cores, os.sched_getaffinity(0)))


def choose_cores(wanted: Sequence[int] | str, usable: Iterable[int], sys: Path = SYS) -> set[int]:
    """The cores that `wanted` means: a set, or "big" or "little" among the usable ones."""
    allowed = set(usable)
    if not isinstance(wanted, str):
        absent = sorted(set(wanted) - allowed)
        if absent:
            raise InputError(f"core {absent[0]} cannot be used here: there are {sorted(allowed)}")
        return set(wanted)
    speeds = {core: speed(core, sys) for core in allowed}
    slowest, quickest = min(speeds.values()), max(speeds.values())
    if slowest == quickest:
        raise InputError(f"this board has no {wanted} cores: all that can be used are equal")
    return {core for core, value in speeds.items() if is_kind(value, wanted, slowest, quickest)}


def is_kind(value: float, wanted: str, slowest: float, quickest: float) -> bool:
    """Whether a core belongs to the big or to the little ones: nearer to which end it is."""
    return (value > (slowest + quickest) / 2) == (wanted == "big")


def speed(core: int, sys: Path = SYS) -> float:
    """Relative speed of a core: the kernel's capacity (Arm), else its highest frequency, else 0."""
    folder = sys / f"devices/system/cpu/cpu{core}"
    capacity = read_number(folder / "cpu_capacity")
    highest = read_number(folder / "cpufreq/cpuinfo_max_freq")
    return next((value for value in (capacity, highest) if value is not None), 0.0)
