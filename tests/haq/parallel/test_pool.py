from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from haq.parallel.pool import PoolWorkers
from quant.errors import WorkerError
from tests.haq.parallel.doubles import IMAGES, Arithmetic
from tests.haq.search.doubles import tied

ROOT = Path(__file__).parents[3]
SOON_S = 10.0
PROGRAM = """
import sys
from functools import partial
from pathlib import Path
import numpy as np
from haq.parallel.pool import PoolWorkers
from tests.haq.parallel.doubles import IMAGES, Arithmetic
from tests.haq.search.doubles import tied

if __name__ == "__main__":
    workers = PoolWorkers(partial(Arithmetic, Path(sys.argv[1]), seconds=0.5), 2)
    while True:
        list(workers.see([(tied(8), np.arange(IMAGES))]))
"""


def test_processes_share_a_task_and_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Even if that is killed."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script, tmp_path], env=environment) as process:
        wait_for(lambda: len(list(tmp_path.glob("*.log"))) == 2, 60)
        process.send_signal(signal.SIGKILL)
    pids = [int(path.stem) for path in tmp_path.glob("*.log")]
    wait_for(lambda: not any(is_alive(pid) for pid in pids), SOON_S)


def test_who_closes_does_not_wait_for_what_is_still_computed(tmp_path: Path) -> None:
    workers = PoolWorkers(partial(Arithmetic, tmp_path, seconds=60.0), 2)
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(lambda: list(workers.see([(tied(8), np.arange(IMAGES))])))
        wait_for(lambda: len(list(tmp_path.glob("*.log"))) == 2, 60)
        began = time.monotonic()
        workers.close()
        assert time.monotonic() - began < SOON_S
        with pytest.raises(WorkerError):
            answer.result(SOON_S)


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may still be listed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
