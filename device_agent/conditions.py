"""The state of the machine around a measurement, where the system exposes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import ncnn

SYS = Path("/sys")


def conditions(threads: int, clock: str, sys: Path = SYS) -> dict[str, Any]:
    """Governor, clock in MHz and hottest sensor in degrees Celsius (None where unknown); load
    average of the last minute; CPUs that this process may use; ncnn version, threads, clock."""
    cpus = sorted(os.sched_getaffinity(0))
    frequency = sys / f"devices/system/cpu/cpu{cpus[0]}/cpufreq"
    khz = read_number(frequency / "scaling_cur_freq")
    return {
        "governor": read_text(frequency / "scaling_governor"),
        "frequency_mhz": None if khz is None else khz / 1000,
        "temperature_c": hottest(sys / "class/thermal"),
        "load_average": os.getloadavg()[0],
        "affinity": cpus,
        "ncnn_version": ncnn.__version__,
        "threads": threads,
        "clock": clock,
    }


def hottest(folder: Path) -> float | None:
    """Highest temperature of all thermal zones, degrees Celsius."""
    found = (read_number(zone / "temp") for zone in folder.glob("thermal_zone*"))
    return max((value / 1000 for value in found if value is not None), default=None)


def read_number(path: Path) -> float | None:
    """A number of sysfs, or None."""
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None


def read_text(path: Path) -> str | None:
    """A word of sysfs, or None."""
    try:
        return path.read_text().strip()
    except OSError:
        return None
