import os
from collections.abc import Mapping
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from device_agent.measuring.cores import choose_cores, stay_on
from quant.errors import InputError


def machine(sys: Path, file: str, values: Mapping[int, int]) -> Path:
    for core, value in values.items():
        path = sys / f"devices/system/cpu/cpu{core}/{file}"
        path.parent.mkdir(parents=True)
        path.write_text(str(value))
    return sys


RK3588 = {0: 530, 1: 530, 2: 530, 3: 530, 4: 1024, 5: 1024, 6: 1024, 7: 1024}


def test_big_and_little_by_the_capacity_of_the_cores(tmp_path: Path) -> None:
    sys = machine(tmp_path, "cpu_capacity", RK3588)
    assert choose_cores("big", range(8), sys) == {4, 5, 6, 7}
    assert choose_cores("little", range(8), sys) == {0, 1, 2, 3}
    assert choose_cores("big", [0, 1, 5], sys) == {5}


def test_three_kinds_fall_to_the_nearer_end(tmp_path: Path) -> None:
    sys = machine(tmp_path, "cpufreq/cpuinfo_max_freq", {0: 1800, 1: 1800, 2: 2400, 3: 3000})
    assert choose_cores("big", range(4), sys) == {3}
    assert choose_cores("little", range(4), sys) == {0, 1, 2}


@pytest.mark.parametrize("wanted", ["big", "little"])
def test_equal_cores_have_no_kinds(tmp_path: Path, wanted: str) -> None:
    sys = machine(tmp_path, "cpu_capacity", {0: 1024, 1: 1024})
    with pytest.raises(InputError, match=f"no {wanted} cores"):
        choose_cores(wanted, range(2), sys)
    with pytest.raises(InputError, match=f"no {wanted} cores"):
        choose_cores(wanted, range(2), tmp_path / "nothing")


def test_only_cores_that_may_be_used() -> None:
    assert choose_cores([1, 2], range(4)) == {1, 2}
    with pytest.raises(InputError, match=r"core 7 cannot be used here: there are \[0, 1\]"):
        choose_cores([0, 7], [0, 1])


def test_a_process_stays_where_it_is_put() -> None:
    core = max(os.sched_getaffinity(0))
    code = (
        "import os; from device_agent.measuring.cores import stay_on;"
        f"stay_on([{core}]); print(sorted(os.sched_getaffinity(0)))"
    )
    done = run([executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[{core}]"


def test_without_a_wish_nothing_changes() -> None:
    before = os.sched_getaffinity(0)
    stay_on(None)
    assert os.sched_getaffinity(0) == before
