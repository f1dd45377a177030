from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from tests.roots import debian
from tests.roots.debian import STAMP, SUITE, MissingError, make, require_tools


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    return tmp_path


def install(folder: Path, name: str) -> None:
    (folder / name).touch(0o755)


def test_others_than_root_are_told_so(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingError, match="run this with sudo"):
        require_tools("arm64")


def test_without_apt_the_missing_packages_are_named(tools: Path) -> None:
    with pytest.raises(MissingError, match=r"first: debootstrap qemu-user-static$"):
        require_tools("arm64")
    with pytest.raises(MissingError, match=r"first: debootstrap$"):
        require_tools("amd64")
    install(tools, "debootstrap")
    install(tools, "qemu-aarch64-static")
    require_tools("arm64")


def test_with_apt_they_are_installed(tools: Path) -> None:
    note = tools / "note"
    (tools / "apt-get").write_text(f'#!/bin/sh\necho "$@" > {note}\n')
    (tools / "apt-get").chmod(0o755)
    require_tools("arm64")
    assert note.read_text().split()[-2:] == ["debootstrap", "qemu-user-static"]


def test_only_arm_is_emulated(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tools, "debootstrap")
    require_tools("amd64")
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(MissingError, match="amd64 is not emulated"):
        require_tools("amd64")


def test_a_root_that_is_there_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "require_tools", lambda arch: None)
    (tmp_path / "etc").mkdir()
    (tmp_path / STAMP).write_text(f"{SUITE} arm64 python3\n")
    make(tmp_path, "arm64", ["python3"])
    assert (tmp_path / STAMP).is_file()
