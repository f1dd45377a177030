from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agent.web.keys_file import add_key, parse_keys, read_keys, revoke_key
from quant.errors import InputError

DIGEST = hashlib.sha256(b"secret").hexdigest()


def test_a_key_is_random_and_only_its_digest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first, second = add_key(path, "laptop"), add_key(path, "server.2")
    assert len({first, second}) == 2
    assert min(len(first), len(second)) >= 43
    assert read_keys(path) == {
        "laptop": hashlib.sha256(first.encode()).hexdigest(),
        "server.2": hashlib.sha256(second.encode()).hexdigest(),
    }
    assert first not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


def test_revoking_takes_one_line_and_keeps_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# people\r\n\nann {DIGEST}\n # laptop is old\nlaptop\t{DIGEST}\nbob {DIGEST}")
    path.chmod(0o640)
    revoke_key(path, "laptop")
    assert path.read_text() == f"# people\n\nann {DIGEST}\n # laptop is old\nbob {DIGEST}"
    assert path.stat().st_mode & 0o777 == 0o640
    add_key(path, "laptop")
    assert list(read_keys(path)) == ["ann", "bob", "laptop"]


@pytest.mark.parametrize(
    "name", ["", "default", "a b", "a\nb", "../x", "#x", "-x", "é", "x" * 65, "a:b"]
)
def test_names_are_plain_and_the_default_is_taken(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        add_key(tmp_path / "keys", name)
    assert not (tmp_path / "keys").exists()


def test_a_name_is_given_once(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add_key(path, "laptop")
    before = path.read_text()
    with pytest.raises(InputError, match="a key laptop already"):
        add_key(path, "laptop")
    with pytest.raises(InputError, match="no key phone"):
        revoke_key(path, "phone")
    assert path.read_text() == before


@pytest.mark.parametrize(
    "line",
    [
        "laptop",
        f"laptop{DIGEST}",
        f"laptop {DIGEST[:-1]}",
        f"laptop {DIGEST.upper()}",
        f"laptop {DIGEST} admin",
        f"lap/top {DIGEST}",
        f"default {DIGEST}",
        f"ann {DIGEST}",
    ],
)
def test_a_malformed_line_is_named_and_not_repeated(tmp_path: Path, line: str) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# people\nann {DIGEST}\n{line}\n")
    place = re.escape(f"{path}, line 3: ")
    for act in (lambda: read_keys(path), lambda: add_key(path, "x"), lambda: revoke_key(path, "a")):
        with pytest.raises(InputError, match=place) as caught:
            act()
        assert DIGEST[:-1] not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_files_that_are_missing_or_not_text(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with pytest.raises(InputError, match="`haq-agent key NAME` makes it"):
        read_keys(path)
    with pytest.raises(InputError, match="no keys file"):
        revoke_key(path, "laptop")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        read_keys(path)
    with pytest.raises(InputError, match="cannot be written: No such file"):
        add_key(tmp_path / "nowhere" / "keys", "laptop")


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        found = parse_keys(text, Path("keys"))
    except InputError as error:
        assert str(error).startswith("keys, line ")
    else:
        assert len(found) <= text.count("\n") + 1
