from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from haq.cli.boards import print_rows, state
from tests.device_agent.conftest import KEY
from tests.device_agent.server import Server, running
from tests.haq.board.wire import answering, serving
from tests.haq.cli.program import Done, haq

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("agent")) as server:
        yield server


@pytest.fixture
def file(cwd: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = cwd / "boards.json"
    monkeypatch.setenv("HAQ_BOARDS", str(found))
    monkeypatch.setenv("PI_KEY", KEY)
    return found


def rows(done: Done) -> dict[str, Any]:
    assert done.code == 0, done.err
    return {row["name"]: row for row in done.result}


def test_a_board_is_added_shown_and_removed(agent: Server, file: Path) -> None:
    done = haq("boards", "add", "pi4", agent.url, "--key-env", "PI_KEY")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"pi4: {agent.url} at 127.0.0.1\n"
    row = rows(haq("boards", "list", "--json"))["pi4"]
    assert (row["url"], row["address"], row["error"]) == (agent.url, "127.0.0.1", None)
    assert row["cpu"]
    assert (row["holder"], row["waiting"], row["running"]) == (None, 0, False)
    assert isinstance(row["load_average"], float)
    shown = haq("boards", "list")
    assert "pi4" in shown.out
    assert "free" in shown.out
    assert haq("boards", "remove", "pi4").code == 0
    assert haq("boards", "list", "--json").result == []


def test_without_a_command_the_boards_are_listed(agent: Server, file: Path) -> None:
    done = haq("boards")
    assert (done.code, done.out) == (0, "")
    assert done.err == "no boards yet: haq boards add NAME http://HOST:PORT\n"
    haq("boards", "add", "pi4", agent.url, "--key-env", "PI_KEY")
    assert "pi4" in haq("boards").out


def test_the_list_holds_no_key(agent: Server, file: Path) -> None:
    key_file = file.parent / "key"
    key_file.write_text(KEY)
    assert haq("boards", "add", "a", agent.url, "--key-file", "key").code == 0
    assert haq("boards", "add", "b", agent.url, "--board-key", KEY).code == 0
    assert KEY not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["a"]["key_file"] == str(key_file)
    found = rows(haq("boards", "list", "--json", "--board-key", KEY))
    assert [found[name]["error"] for name in "ab"] == [None, None]


def test_a_lost_board_does_not_stop_the_list(agent: Server, file: Path) -> None:
    with serving(answering(b"<html>")) as other:
        haq("boards", "add", "first", NOBODY, "--no-check")
        haq("boards", "add", "second", other.url, "--no-check")
        haq("boards", "add", "third", agent.url, "--key-env", "PI_KEY")
        haq("boards", "add", "wrong", agent.url, "--no-check", "--board-key", "wrong")
        haq("boards", "add", "unset", agent.url, "--no-check", "--key-env", "UNSET_KEY")
        found = rows(haq("boards", "list", "--json", "--board-key", "wrong"))
        shown = haq("boards", "list", "--board-key", "wrong")
    assert found["first"]["error"].startswith(f"no device agent answers at {NOBODY}")
    assert found["second"]["error"] == f"what answers at {other.url} is not a haq device agent"
    assert found["third"]["error"] is None
    assert "refuses the key" in found["wrong"]["error"]
    assert "UNSET_KEY" in found["unset"]["error"]
    assert shown.code == 0
    assert "no device agent answers at" in shown.out


def test_what_does_not_answer_is_not_added(agent: Server, file: Path) -> None:
    for url, key, said in (
        (NOBODY, KEY, f"no device agent answers at {NOBODY}"),
        (agent.url, "wrong", f"the device agent at {agent.url} refuses the key"),
    ):
        done = haq("boards", "add", "pi4", url, "--board-key", key)
        assert (done.code, done.out) == (2, "")
        assert done.error.startswith(said)
    assert not file.exists()


def test_the_address_that_answers_is_kept(agent: Server, file: Path) -> None:
    with patch("haq.board.address.resolve", return_value=["127.0.0.9", "127.0.0.1", "127.0.0.2"]):
        done = haq("boards", "add", "pi4", f"http://pi4.test:{agent.port}", "--key-env", "PI_KEY")
    assert done.out == f"pi4: http://pi4.test:{agent.port} at 127.0.0.1\n"
    assert rows(haq("boards", "list", "--json"))["pi4"]["error"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Pi4", NOBODY], "'Pi4' is no name for a board"),
        (["pi 4", NOBODY], "'pi 4' is no name for a board"),
        (["x" * 41, NOBODY], "is no name for a board"),
        (["../x", NOBODY], "is no name for a board"),
        (["pi4", "pi4:8100"], "'pi4:8100' is not a board's address"),
        (["pi4", "http://user:pw@pi4"], "is not a board's address"),
        (["pi4", "http://no-such-board.invalid"], "'no-such-board.invalid' is not the name of any"),
        (["pi4", NOBODY, "--key-env", "A", "--key-file", "b"], "a board has one key"),
        (["pi4", NOBODY, "--ca", "absent.pem"], "absent.pem holds no certificates"),
        (["pi4", NOBODY, "--key-file", "absent"], "the key cannot be read from"),
        (["there", NOBODY], "a board is called 'there' already: `haq boards remove there` first"),
    ],
)
def test_wrong_input_is_one_line_and_changes_nothing(
    arguments: list[str], said: str, file: Path
) -> None:
    assert haq("boards", "add", "there", NOBODY, "--no-check").code == 0
    before = file.read_bytes()
    done = haq("boards", "add", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.error
    assert file.read_bytes() == before


def test_an_unknown_board_cannot_be_removed(file: Path) -> None:
    done = haq("boards", "remove", "pi4")
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("no board is called 'pi4': the list is empty")
    assert not file.exists()


@pytest.mark.parametrize("command", ["list", "add", "remove"])
def test_every_command_explains_itself(command: str) -> None:
    done = haq("boards", command, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"Usage: haq boards {command}" in done.out


def test_the_commands_need_no_explanation_of_each_other() -> None:
    done = haq("boards", "--help")
    assert done.code == 0
    assert all(command in done.out for command in ("list", "add", "remove"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"holder": None, "waiting": 0, "throttled": False}, "free"),
        ({"holder": "pc", "waiting": 0, "throttled": None}, "held by pc"),
        ({"holder": "pc", "waiting": 2, "throttled": True}, "held by pc, 2 waiting, throttled"),
    ],
)
def test_the_state_in_words(row: dict[str, Any], said: str) -> None:
    assert state({"error": None, **row}) == said


def test_what_an_agent_says_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A name with square brackets is no markup."""
    print_rows([{"name": "x", "error": "[red]no[/red] [link=file:///etc/passwd]"}])
    assert "[red]no[/red] [link=file:///etc/passwd]" in capsys.readouterr().out
