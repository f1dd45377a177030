from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from device_agent.web.sole_use import sole_use
from quant.errors import InputError


def test_a_folder_is_had_by_one_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with sole_use(folder), pytest.raises(InputError, match="another agent uses"), sole_use(folder):
        pass
    with sole_use(folder):
        pass


def test_a_killed_process_lets_go(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from device_agent.web.sole_use import sole_use\n"
        "with sole_use(Path(sys.argv[1])):\n    print('has it', flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        with pytest.raises(InputError, match="another agent"), sole_use(tmp_path):
            pass
        process.kill()
        process.wait()
    with sole_use(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/data cannot be used: Not a directory"):
        sole_use(tmp_path / "file" / "data").__enter__()
