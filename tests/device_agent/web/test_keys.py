from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from device_agent.web.keys import Keys
from device_agent.web.keys_file import add_key, revoke_key
from quant.errors import InputError


def test_every_key_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    laptop, server = add_key(path, "laptop"), add_key(path, "server")
    keys = Keys(SecretStr("grüße"), path)
    assert keys.names == ("default", "laptop", "server")
    assert keys.name_of(laptop.encode()) == "laptop"
    assert keys.name_of(server.encode()) == "server"
    assert keys.name_of("grüße".encode()) == "default"
    for wrong in (b"", b"x", laptop.encode()[:-1], laptop.encode() + b"x", b"\xff\x00", b"default"):
        assert keys.name_of(wrong) is None


def test_without_any_setting_no_key_is_required(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    assert not Keys(None, None).is_required
    assert Keys(None, tmp_path / "keys").is_required
    assert Keys(None, tmp_path / "keys").name_of(b"") is None


def test_nobody_has_the_empty_key_even_if_its_digest_is_there(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"empty {hashlib.sha256(b'').hexdigest()}\n")
    assert Keys(None, path).name_of(b"") is None


def test_keys_come_and_go_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    laptop = add_key(path, "laptop").encode()
    keys = Keys(None, path)
    server = add_key(path, "server").encode()
    assert keys.name_of(server) == "server"
    revoke_key(path, "laptop")
    assert keys.name_of(laptop) is None
    assert keys.name_of(server) == "server"


def test_a_file_put_in_place_of_the_other_counts(tmp_path: Path) -> None:
    path, other = tmp_path / "keys", tmp_path / "other"
    old, new = add_key(path, "laptop").encode(), add_key(other, "laptop").encode()
    keys = Keys(None, path)
    stamp = path.stat()
    os.utime(other, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    other.replace(path)
    assert keys.name_of(old) is None
    assert keys.name_of(new) == "laptop"


def test_a_file_that_is_gone_takes_its_keys_and_opens_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    laptop = add_key(path, "laptop").encode()
    keys = Keys(SecretStr("own"), path)
    path.unlink()
    assert keys.name_of(laptop) is None
    assert keys.name_of(b"own") == "default"
    assert keys.is_required


def test_a_spoilt_file_leaves_the_last_good_keys_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys"
    laptop = add_key(path, "laptop").encode()
    keys = Keys(None, path)
    good = path.read_text()
    path.write_text(good + "half a li")
    for _ in range(3):
        assert keys.name_of(laptop) == "laptop"
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert f"{path}, line 2" in str(caplog.records[0].msg)
    path.write_text("")
    assert keys.name_of(laptop) is None


def test_a_spoilt_or_missing_file_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(InputError, match="no keys file"):
        Keys(SecretStr("own"), path)
    path.write_text("\nlaptop\n")
    with pytest.raises(InputError, match="line 2"):
        Keys(SecretStr("own"), path)
