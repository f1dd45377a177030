import os
from pathlib import Path

import pytest

from device_agent.measuring.conditions import (
    PI_THROTTLED,
    conditions,
    hottest,
    is_throttled,
    standing,
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_values_of_sysfs(tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    frequency = tmp_path / f"devices/system/cpu/cpu{cpu}/cpufreq"
    write(frequency / "scaling_governor", "performance\n")
    write(frequency / "scaling_cur_freq", "1500000\n")
    write(frequency / "cpuinfo_max_freq", "1800000\n")
    for zone, text in enumerate(["45000", "61500", "broken"]):
        write(tmp_path / f"class/thermal/thermal_zone{zone}/temp", text)
    found = conditions(2, "wall", tmp_path)
    assert found["governor"] == "performance"
    assert (found["frequency_mhz"], found["max_frequency_mhz"]) == (1500.0, 1800.0)
    assert found["temperature_c"] == hottest(tmp_path) == 61.5
    assert (found["threads"], found["clock"]) == (2, "wall")


def test_what_the_system_hides_is_none(tmp_path: Path) -> None:
    found = conditions(1, "thread_cpu", tmp_path)
    hidden = ("governor", "frequency_mhz", "max_frequency_mhz", "temperature_c", "throttled")
    assert all(found[name] is None for name in hidden)
    assert found["load_average"] >= 0


@pytest.mark.parametrize(
    ("flags", "expected"), [("0", False), ("50005", True), ("50000", False), ("4", True)]
)
def test_a_pi_says_what_holds_now_and_what_only_happened(
    tmp_path: Path, flags: str, expected: bool
) -> None:
    write(tmp_path / PI_THROTTLED, flags + "\n")
    assert is_throttled(tmp_path) is expected


def test_a_processor_is_throttled_when_its_cooling_device_works(tmp_path: Path) -> None:
    thermal = tmp_path / "class/thermal"
    write(thermal / "cooling_device0/type", "pwm-fan\n")
    write(thermal / "cooling_device0/cur_state", "3\n")
    assert is_throttled(tmp_path) is None
    write(thermal / "cooling_device1/type", "cpufreq-cpu0\n")
    write(thermal / "cooling_device1/cur_state", "0\n")
    assert is_throttled(tmp_path) is False
    write(thermal / "cooling_device1/cur_state", "2\n")
    assert is_throttled(tmp_path) is True


def test_standing_conditions_do_not_move_by_themselves(tmp_path: Path) -> None:
    zone = tmp_path / "class/thermal/thermal_zone0/temp"
    write(zone, "45000")
    cool = standing(tmp_path)
    write(zone, "80000")
    assert standing(tmp_path) == cool
    assert "governor" in cool
