"""What docs/service.md has one type, typed: the first search, a backup while the service runs, and
what is restored of that."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen, run
from threading import Timer

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from tests.api.conftest import bearer

TEXT = (Path(__file__).parents[2] / "docs" / "service.md").read_text(encoding="utf-8")
TO_INSTALL = 2
"""Of the ten lines; what they install is here."""
TIMEOUT_S = 500

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


def blocks(title: str) -> list[str]:
    """Fenced blocks below a heading."""
    section = TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```\n(.*?)^```", section, re.M | re.S)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass(frozen=True)
class Typed:
    """What came of the ten lines: in which home, with which environment, and what they printed."""

    home: Path
    env: dict[str, str]
    output: str


def environment(home: Path, port: int) -> dict[str, str]:
    """Of a user with nothing but haq installed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "HAQ_SERVICE_PORT": str(port)}


def shell(lines: str, home: Path, env: dict[str, str]) -> Popen[str]:
    """Bash that stops at the first line that fails, in a session of its own, and all in it."""
    command = ["bash", "-Eeuo", "pipefail", "-c", f"trap 'kill 0' ERR\n{lines}"]
    return Popen(command, cwd=home, env=env, stdout=PIPE, text=True, start_new_session=True)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typed]:
    """After the ten lines; the service runs on."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    (block,) = blocks("From nothing to the first search")
    lines = "".join(block.splitlines(keepends=True)[TO_INSTALL:])
    env = environment(home, port)
    # The service has the output, too, and does not close it: the last line says that all is done.
    process = shell(f"{lines.replace('8200', str(port))}\necho; echo ten lines", home, env)
    too_long = Timer(TIMEOUT_S, os.killpg, (process.pid, signal.SIGKILL))
    too_long.start()
    try:
        assert process.stdout is not None
        output = ""
        for line in process.stdout:
            output += line
            if line == "ten lines\n":
                break
        assert process.wait() == 0, output
        yield Typed(home, env, output)
    finally:
        too_long.cancel()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def test_the_way_to_the_first_search_has_ten_lines() -> None:
    (block,) = blocks("From nothing to the first search")
    lines = block.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("git clone HAQ_URL")
    assert "pip install '.[search]'" in lines[1]


def test_the_ten_lines_end_with_the_policy_of_a_search(typed: Typed) -> None:
    assert '"status":"ok"' in typed.output
    assert "event: trial" in typed.output
    assert 'event: end\ndata: {"state": "done"}' in typed.output
    (listed,) = re.findall(r'^\{"artifacts":.*\}', typed.output, re.M)
    digests = {file["name"]: file["sha256"] for file in json.loads(listed)["artifacts"]}
    policy = (typed.home / "policy.json").read_bytes()
    assert hashlib.sha256(policy).hexdigest() == digests["policy.json"]
    assert {bits["weight"] for bits in json.loads(policy)["layers"].values()} <= {8, 16, 32}


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3")
def test_a_backup_that_was_made_meanwhile_has_the_search(typed: Typed, tmp_path: Path) -> None:
    backup, restore = blocks("Backup, restore, upgrade")
    run(["bash", "-euc", backup], cwd=typed.home, env=typed.env, check=True, timeout=300)
    there = {**typed.env, "HOME": str(tmp_path)}
    for name in ("haq-backup.sqlite", "haq-backup.tar.gz"):
        shutil.copy(typed.home / name, tmp_path)
    run(["bash", "-euc", restore], cwd=tmp_path, env=there, check=True, timeout=300)
    settings = Settings(data_dir=tmp_path / ".local" / "share" / "haq", workers=0)
    app = create_app(settings)
    with TestClient(app, headers=bearer(app.state.service.keys.add("new", "read"))) as client:
        (search,) = client.get("/v1/searches").json()["searches"]
        assert (search["state"], search["trials"], search["created_by"]) == ("done", 8, "me")
        policy = client.get(f"/v1/searches/{search['id']}/artifacts/policy.json")
        assert policy.content == (typed.home / "policy.json").read_bytes()
