from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from haq.cli._interrupt import GRACE_S, prompt_interrupts, unmasked
from quant.errors import StorageError

BEGIN = """
import hashlib, os, sys, time
from concurrent.futures import ThreadPoolExecutor
from haq.cli._interrupt import prompt_interrupts

def native():
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)

pool = ThreadPoolExecutor(1)
with prompt_interrupts(lambda: os.write(2, b"last words")):
    pool.submit(os.write, 1, b"!\\n").result()
"""
ROOT = Path(__file__).parents[3]
SOON_S = GRACE_S + 2


def interrupted(command: list[str], sign: str, folder: Path) -> tuple[int, str, float]:
    """Exit code, standard error and seconds that it took, of a process that is interrupted once a
    line that begins with `sign` has come."""
    command = ["env", f"PYTHONPATH={ROOT}", *command]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder
    ) as process:
        assert process.stdout is not None
        while not (line := process.stdout.readline()).startswith(sign):
            assert line, "the process has ended"
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        said = process.stdout.read()
        code = process.wait()
    return code, said, time.monotonic() - start


@pytest.mark.parametrize(
    "work",
    ["native()", "pool.submit(native).result()", "pool.submit(native)\n    time.sleep(60)"],
    ids=["in the main thread", "waited for", "beside"],
)
def test_native_code_does_not_hold_the_program(work: str, tmp_path: Path) -> None:
    program = [sys.executable, "-c", f"{BEGIN}    {work}\n"]
    code, said, seconds = interrupted(program, "!", tmp_path)
    assert (code, seconds < SOON_S) == (130, True)
    assert said.endswith("last words")


def test_outside_of_the_block_all_is_as_before() -> None:
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    with prompt_interrupts(lambda: None):
        pass
    after = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(after)
    assert after == before


def test_an_error_that_an_interrupt_caused_is_the_interrupt() -> None:
    lock = threading.Lock()
    with pytest.raises(KeyboardInterrupt), prompt_interrupts(lambda: None), lock:
        lock.release()
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), unmasked():
        try:
            raise KeyboardInterrupt
        finally:
            raise StorageError("the run cannot be closed") from None


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(StorageError), prompt_interrupts(lambda: None):
        raise StorageError("the disk is full")


def test_other_signals_are_not_heard() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with prompt_interrupts(lambda: heard.append(0)):
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1]


@pytest.mark.parametrize("stage", ["latency of each layer", "harm of each layer", "final test"])
def test_a_search_ends_at_once_and_says_how_to_go_on(
    stage: str, small: tuple[str, ...], tmp_path: Path
) -> None:
    """While the board measures, while ncnn runs on threads, and while torch computes."""
    program = [sys.executable, "-c", "from haq.cli import main; main()", "search", *small]
    options = ["--bits", "8,32", "--episodes", "1", "--observer", "absmax", "--out", "run"]
    options += [] if stage.startswith("latency") else ["--budget", "size=0.8x"]
    code, said, seconds = interrupted([*program, *options], stage, tmp_path)
    assert (code, seconds < SOON_S) == (130, True), said
    assert "nothing is lost, to go on: haq search --resume run" in said.splitlines()
    assert "Traceback" not in said
