import os
from pathlib import Path

from device_agent.conditions import conditions


def test_values_of_sysfs(tmp_path: Path) -> None:
    cpu = min(os.sched_getaffinity(0))
    frequency = tmp_path / f"devices/system/cpu/cpu{cpu}/cpufreq"
    frequency.mkdir(parents=True)
    (frequency / "scaling_governor").write_text("performance\n")
    (frequency / "scaling_cur_freq").write_text("1500000\n")
    for zone, text in enumerate(["45000", "61500", "broken"]):
        (tmp_path / f"class/thermal/thermal_zone{zone}").mkdir(parents=True)
        (tmp_path / f"class/thermal/thermal_zone{zone}/temp").write_text(text)
    found = conditions(2, "wall", tmp_path)
    assert found["governor"] == "performance"
    assert found["frequency_mhz"] == 1500.0
    assert found["temperature_c"] == 61.5
    assert (found["threads"], found["clock"]) == (2, "wall")


def test_what_the_system_hides_is_none(tmp_path: Path) -> None:
    found = conditions(1, "thread_cpu", tmp_path)
    assert found["governor"] is found["frequency_mhz"] is found["temperature_c"] is None
    assert found["load_average"] >= 0
