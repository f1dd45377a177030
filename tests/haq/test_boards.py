from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haq import boards
from haq.boards import ListedBoard
from quant.errors import InputError

PI4 = ListedBoard(url="http://pi4.local:8100", address="192.168.1.20", key_env="PI4_KEY")
NAS = ListedBoard(url="https://nas:8100", address="2001:db8::1", ca=Path("/etc/ca.pem"))


def test_the_list_is_where_the_user_keeps_settings(tmp_path: Path) -> None:
    home = boards.list_file({})
    assert home == Path.home() / ".config" / "haq" / "boards.json"
    assert boards.list_file({"XDG_CONFIG_HOME": "/x"}) == Path("/x/haq/boards.json")
    assert boards.list_file({"XDG_CONFIG_HOME": "/x", "HAQ_BOARDS": "/y"}) == Path("/y")


def test_a_list_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "new" / "haq" / "boards.json"
    assert boards.load(file) == {}
    boards.save(file, {"pi4": PI4, "nas": NAS})
    assert boards.load(file) == {"pi4": PI4, "nas": NAS}
    boards.save(file, {})
    assert boards.load(file) == {}


@settings(deadline=None)
@given(
    st.dictionaries(
        st.from_regex(boards.NAME, fullmatch=True),
        st.builds(
            ListedBoard,
            url=st.sampled_from([PI4.url, NAS.url]),
            address=st.ip_addresses().map(str),
            key_env=st.none() | st.just("KEY"),
            key_file=st.none() | st.just(Path("/key")),
        ),
        max_size=3,
    )
)
def test_every_list_is_read_as_it_was_written(known: dict[str, ListedBoard]) -> None:
    assert boards.BOARDS.validate_json(boards.BOARDS.dump_json(known, exclude_none=True)) == known


def test_only_the_owner_can_read_the_list(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "boards.json"
    before = os.umask(0)
    try:
        boards.save(file, {"pi4": PI4})
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_list_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "boards.json"
    boards.save(file, {"pi4": PI4})

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(InputError, match="cannot be written: disk full"):
        boards.save(file, {"nas": NAS})
    assert boards.load(file) == {"pi4": PI4}
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no list of boards: the file: "),
        ("[]", "is no list of boards: the file: "),
        ({"Pi 4": PI4.model_dump(mode="json")}, "Pi 4"),
        ({"x" * 41: PI4.model_dump(mode="json")}, "x" * 41),
        ({"../pi": PI4.model_dump(mode="json")}, "../pi"),
        ({"pi4": {"url": "http://pi4"}}, "pi4.address: Field required"),
        ({"pi4": {"url": "http://pi4", "address": "pi4"}}, "'pi4' is not an IP address"),
        ({"pi4": {"url": "ftp://pi4", "address": "::1"}}, "'ftp://pi4' is not a board's address"),
        ({"pi4": {"url": "http://pi4", "address": "::1", "key": "secret"}}, "pi4.key: Extra"),
    ],
)
def test_a_broken_list_is_one_line(text: Any, said: str, tmp_path: Path) -> None:
    file = tmp_path / "boards.json"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    with pytest.raises(InputError) as raised:
        boards.load(file)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        boards.load(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        boards.save(tmp_path / "file" / "boards.json", {})


def test_an_unknown_name_shows_the_known_ones() -> None:
    assert boards.find({"pi4": PI4}, "pi4") is PI4
    with pytest.raises(InputError, match="no board is called 'pi5': the list has nas, pi4; add"):
        boards.find({"pi4": PI4, "nas": NAS}, "pi5")
    with pytest.raises(InputError, match="the list is empty; add one by `haq boards add`"):
        boards.find({}, "pi5")


def test_where_the_key_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PI4_KEY", "from the environment")
    file = tmp_path / "key"
    file.write_text("from the file\n")
    assert PI4.key("default") == "from the environment"
    assert NAS.model_copy(update={"key_file": file}).key("default") == "from the file"
    assert (NAS.key("default"), NAS.key()) == ("default", None)


def test_a_key_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default key is for another board and is not sent instead."""
    monkeypatch.delenv("PI4_KEY", raising=False)
    with pytest.raises(InputError, match="expected in the environment variable PI4_KEY"):
        PI4.open("default")
    with pytest.raises(InputError, match=r"the key cannot be read from .*absent"):
        NAS.model_copy(update={"key_file": tmp_path / "absent"}).open("default")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(InputError, match=r"the key is expected in .*empty"):
        NAS.model_copy(update={"key_file": tmp_path / "empty"}).open("default")
