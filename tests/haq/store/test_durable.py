from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from haq.store.durable import append, partial_of, replace, room, sync_folder, writing
from quant.errors import StorageError


def test_appended_bytes_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    path = tmp_path / "journal"
    append(path, b"one\n")
    append(path, b"two\n")
    assert sizes == [4, 8]
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_file_is_synced_before_it_takes_its_name_and_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "file", []

    def sync(descriptor: int) -> None:
        seen.append((os.fstat(descriptor).st_ino, path.exists()))

    monkeypatch.setattr(os, "fsync", sync)
    replace(path, b"content")
    assert seen == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_a_part_that_was_left_behind_is_no_part_of_the_next(tmp_path: Path) -> None:
    path = tmp_path / "file"
    partial_of(path).write_bytes(b"left behind")
    replace(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"new")]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    replace(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"^no space left on the disk for .*file.*: make room$"):
        replace(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("file", b"old")]


def test_a_real_full_device() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(StorageError, match="no space left on the disk for /dev/full: make room"):
        append(Path("/dev/full"), b"content")


def test_other_errors_are_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="absent/file cannot be written: No such file or dir"):
        append(tmp_path / "absent" / "file", b"")
    with pytest.raises(StorageError, match="absent cannot be written: No such file"):
        sync_folder(tmp_path / "absent")


def test_a_room_is_about_room_alone(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), room(tmp_path):
        raise PermissionError(errno.EACCES, "denied")
    with pytest.raises(StorageError, match="cannot be written: denied"), writing(tmp_path):
        raise PermissionError(errno.EACCES, "denied")
