from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from haq import local_board
from haq.local_board import local_agent
from haq.threads import THREADS
from quant.errors import BoardError
from quant.policy import uniform
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, small_layers


def test_a_real_agent_serves_and_stops() -> None:
    with local_agent() as board:
        board.upload(small_layers(), RANGES, SHAPE)
        (latency,) = board.measure([uniform(NAMES, 32, 32)], rel_ci=0.05, max_rounds=60)
        assert 0.5 < latency.ratio < 2
        assert httpx2.get(f"{board.url}/v1/device").status_code == 401
        url = board.url
    assert not local_board.is_up(url)


def test_an_agent_that_cannot_start_is_an_error_with_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HAQ_AGENT_MAX_POLICIES", "many")
    with pytest.raises(BoardError, match=r"did not start: .*max_policies"), local_agent():
        pass


def test_the_agent_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    code = (
        "import time\nfrom haq.local_board import local_agent\n"
        "with local_agent() as board:\n    print(board.url, flush=True)\n    time.sleep(60)\n"
    )
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    starter = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=env
    )
    assert starter.stdout is not None
    url = starter.stdout.readline().strip()
    assert local_board.is_up(url)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    deadline = time.monotonic() + 10
    while local_board.is_up(url):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_package_stays_light() -> None:
    code = "import sys, haq; print([m for m in ('httpx2', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_agent_has_threads_as_on_any_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in THREADS.items():
        monkeypatch.setenv(name, value)
    found = local_board.agent_env("key", tmp_path)
    assert not THREADS.keys() & found.keys()
    assert found["HAQ_AGENT_KEY"] == "key"
