from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from haq.store.lock import LOCK, check_free, is_at, sole_use
from quant.errors import InputError, StorageError

HOLDER = (
    "import sys, time\nfrom pathlib import Path\nfrom haq.store.lock import sole_use\n"
    "with sole_use(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_the_second_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        said = f"^{tmp_path} is in use by process {process.pid}: wait until it ends, or stop it$"
        with pytest.raises(InputError, match=said), sole_use(tmp_path):
            pass
        with pytest.raises(InputError, match=said):
            check_free(tmp_path)
        assert (tmp_path / LOCK).read_text() == str(process.pid)


def test_a_killed_holder_keeps_nobody_out(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (tmp_path / LOCK).is_file()
    with sole_use(tmp_path):
        assert (tmp_path / LOCK).read_text() == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with (
        sole_use(tmp_path),
        pytest.raises(InputError, match=f"process {os.getpid()}"),
        sole_use(tmp_path),
    ):
        pass


def test_an_error_lets_go(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), sole_use(tmp_path):
        raise KeyboardInterrupt
    check_free(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_be_removed_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with sole_use(folder):
        (folder / LOCK).unlink()
        folder.rmdir()


def test_a_file_that_was_removed_after_it_was_opened_is_no_lock(tmp_path: Path) -> None:
    path = tmp_path / LOCK
    with path.open("w") as first:
        assert is_at(first, path)
        path.unlink()
        assert not is_at(first, path)
        path.touch()
        assert not is_at(first, path)


def test_there_is_never_more_than_one(tmp_path: Path) -> None:
    """Many come and go at once: each finds itself alone."""
    inside: list[int] = []

    def visit(number: int) -> bool:
        try:
            with sole_use(tmp_path):
                inside.append(number)
                assert inside == [number]
                inside.remove(number)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert any(pool.map(visit, range(400)))


def test_a_folder_that_is_not_there_is_free_and_cannot_be_had(tmp_path: Path) -> None:
    check_free(tmp_path / "absent")
    with pytest.raises(StorageError, match="cannot be written"), sole_use(tmp_path / "absent"):
        pass
