"""The state of the machine around a measurement, where the system exposes it."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SYS = Path("/sys")
PI_THROTTLED = "devices/platform/soc/soc:firmware/get_throttled"
"""Raspberry Pi: hexadecimal flags; the lowest four say what holds now (under-voltage, capped clock,
throttled, soft temperature limit)."""
PI_NOW = 0xF


def conditions(threads: int, clock: str, sys: Path = SYS) -> dict[str, Any]:
    """The fields of `schema.Conditions`; None where the system does not tell."""
    cpus = sorted(os.sched_getaffinity(0))
    frequency = sys / f"devices/system/cpu/cpu{cpus[0]}/cpufreq"
    return {
        "governor": read_text(frequency / "scaling_governor"),
        "frequency_mhz": megahertz(frequency / "scaling_cur_freq"),
        "max_frequency_mhz": megahertz(frequency / "cpuinfo_max_freq"),
        "temperature_c": hottest(sys),
        "throttled": is_throttled(sys),
        "load_average": os.getloadavg()[0],
        "affinity": cpus,
        "ncnn_version": installed("ncnn"),
        "haq_version": installed("haq"),
        "threads": threads,
        "clock": clock,
    }


def standing(sys: Path = SYS) -> dict[str, Any]:
    """The conditions that stay until somebody changes them, so that measurements compare."""
    lasting = ("governor", "max_frequency_mhz", "affinity", "ncnn_version", "haq_version")
    now = conditions(1, "wall", sys)
    return {name: now[name] for name in lasting}


def hottest(sys: Path = SYS) -> float | None:
    """Highest temperature of all thermal zones, degrees Celsius."""
    found = (read_number(zone / "temp") for zone in (sys / "class/thermal").glob("thermal_zone*"))
    return max((value / 1000 for value in found if value is not None), default=None)


def is_throttled(sys: Path = SYS) -> bool | None:
    """Whether the board slows its clock right now, for heat or for low voltage.

    A Raspberry Pi's firmware says so; elsewhere a cooling device of a processor is at work.
    """
    flags = read_text(sys / PI_THROTTLED)
    if flags is not None:
        return bool(int(flags, 16) & PI_NOW)
    states = [read_number(device / "cur_state") for device in cpu_coolers(sys)]
    return any(states) if states else None


def cpu_coolers(sys: Path) -> list[Path]:
    """Cooling devices that work by slowing a processor: fans and displays do not count."""
    devices = sorted((sys / "class/thermal").glob("cooling_device*"))
    names = [(device, (read_text(device / "type") or "").lower()) for device in devices]
    return [device for device, name in names if "cpufreq" in name or name == "processor"]


def installed(package: str) -> str:
    """Version of a package, found without importing it: the service itself never loads ncnn."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def megahertz(path: Path) -> float | None:
    """A frequency that sysfs gives in kHz."""
    khz = read_number(path)
    return None if khz is None else khz / 1000


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
