from __future__ import annotations

import platform
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tests.roots.emulation import MACHINES
from tests.roots.inside import Inside, entrance, preparation

HERE = next((k for k, v in MACHINES.items() if v == platform.machine()), "amd64")
ROOT = Inside(Path("/a root"), HERE)


def mounts(inside: Inside) -> list[list[str]]:
    """Words of the lines that mount something."""
    return [shlex.split(line) for line in preparation(inside) if line.startswith("mount")]


def test_what_is_shown_is_read_only_and_volumes_are_not(tmp_path: Path) -> None:
    shown = replace(ROOT, binds={"/haq": tmp_path}, volumes={"/data": tmp_path})
    lines = mounts(shown)
    assert ["mount", "--bind", str(tmp_path), "/a root/haq"] in lines
    assert ["mount", "-o", "remount,bind,ro", "/a root/haq"] in lines
    assert ["mount", "--bind", str(tmp_path), "/a root/data"] in lines
    assert not any(line[1] == "-o" and line[-1] == "/a root/data" for line in lines)


def test_the_root_becomes_read_only_when_all_is_in_its_place() -> None:
    assert mounts(replace(ROOT, read_only=True))[-1] == [
        "mount",
        "-o",
        "remount,bind,ro",
        "/a root",
    ]
    assert not any("ro" in line[2] for line in mounts(ROOT) if line[1] == "-o")


def test_commands_start_in_their_folder_with_nothing_but_what_they_were_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HAQ_AGENT_KEY", "secret")
    words = entrance(replace(ROOT, folder="/haq", env={"A": "b c"}), ["id", "-u"])
    assert words[:3] == ["chroot", "/a root", "env"]
    assert words[3:6] == ["-i", "-C", "/haq"]
    assert words[-3:] == ["A=b c", "id", "-u"]
    assert not any("secret" in word for word in words)


def test_users_have_no_capability_and_get_none() -> None:
    words = entrance(replace(ROOT, user="haq"), ["id"])
    assert words[2:8] == ["setpriv", "--reuid", "haq", "--regid", "haq", "--clear-groups"]
    assert {"--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"} < set(words)


def test_another_architecture_needs_the_emulator_first() -> None:
    (other,) = set(MACHINES) - {HERE}
    lines = list(preparation(replace(ROOT, arch=other)))
    register = next(i for i, line in enumerate(lines) if "register" in line)
    assert register < next(i for i, line in enumerate(lines) if "--rbind" in line)
    assert not any("binfmt" in line for line in preparation(ROOT))
