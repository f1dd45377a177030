from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from tests.roots import debian
from tests.roots.debian import STAMP, SUITE, MissingError, make, require_tools
from tests.roots.emulation import MACHINES

FOREIGN = next(name for name, machine in MACHINES.items() if machine != platform.machine())


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def install(folder: Path, name: str) -> None:
    (folder / name).touch(0o755)


def test_others_than_root_are_told_so(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingError, match="run this with sudo"):
        require_tools(FOREIGN)


def test_what_is_missing_is_named_with_the_command_that_brings_it(tools: Path) -> None:
    with pytest.raises(MissingError, match="apt-get install debootstrap"):
        require_tools(FOREIGN)
    install(tools, "debootstrap")
    with pytest.raises(MissingError, match="apt-get install qemu-user-static"):
        require_tools(FOREIGN)
    install(tools, "qemu-aarch64-static")
    require_tools(FOREIGN)


def test_a_root_that_is_there_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "require_tools", lambda arch: None)
    (tmp_path / "etc").mkdir()
    (tmp_path / STAMP).write_text(f"{SUITE} arm64 python3\n")
    make(tmp_path, "arm64", ["python3"])
    assert (tmp_path / STAMP).is_file()
