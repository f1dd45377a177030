from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import stamina.instrumentation

from haq import boards, local_board
from haq.board import Board, Fleet
from haq.boards import ListedBoard
from haq.connect import open_board, open_boards
from quant.errors import InputError
from tests.haq.cli.program import haq


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards `a` and `b`, at addresses that their names do not have."""
    file = tmp_path / "boards.json"
    monkeypatch.setenv("HAQ_BOARDS", str(file))
    monkeypatch.setenv("A_KEY", "key of a")
    known = {
        "a": ListedBoard(url="http://a.test:9", address="127.0.0.1", key_env="A_KEY"),
        "b": ListedBoard(url="http://b.test:9", address="127.0.0.1"),
    }
    boards.save(file, known)


def test_a_name_of_the_list_or_a_url(listed: None) -> None:
    with open_board("a", None) as board:
        assert board.url == "http://a.test:9"
    with open_board("http://127.0.0.1:9/", "key") as board:
        assert board.url == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("board", "said"),
    [
        ("c", "no board is called 'c': the list has a, b"),
        ("a.test:9", "'a.test:9' is not a board's address"),
        ("A", "'A' is not a board's address"),
        ("", "'' is not a board's address"),
    ],
)
def test_neither(board: str, said: str, listed: None) -> None:
    with pytest.raises(InputError, match=said), open_board(board, None):
        pass


def test_several_are_a_fleet(listed: None) -> None:
    with open_boards(["a"], None) as one:
        assert isinstance(one, Board)
    with open_boards(["a", "b", "http://c.test"], None) as several:
        assert isinstance(several, Fleet)


@pytest.mark.parametrize("twice", [["a", "a"], ["b", "http://b.test:9/"]])
def test_none_counts_twice(twice: list[str], listed: None) -> None:
    with pytest.raises(InputError, match="named twice"), open_boards(twice, None):
        pass


def test_a_listed_board_is_asked_at_its_address(
    listed: None, small: tuple[str, ...], cwd: Path
) -> None:
    """The name has no address at all, so what is refused is a connection to the kept one."""
    for command in (("search",), ("export", "--policy", "8", "--out", "out")):
        done = haq(*command, *small, "--board", "a")
        assert (done.code, done.out) == (2, "")
        assert done.error.startswith("no device agent answers at http://a.test:9")
    assert list(cwd.iterdir()) == []


def test_a_file_of_authorities_is_read(small: tuple[str, ...], cwd: Path) -> None:
    for command in (("search",), ("export", "--policy", "8", "--out", "out")):
        done = haq(*command, *small, "--board", "https://a.test", "--board-ca", "absent.pem")
        assert (done.code, done.out) == (2, "")
        assert done.error.startswith("absent.pem holds no certificates in PEM")


def test_no_board_writes_its_retries_to_the_output_of_the_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not the one of this machine either."""
    stamina.instrumentation.set_on_retry_hooks(None)
    monkeypatch.setattr(local_board, "local_agent", lambda: nullcontext(Board("http://a.test")))
    with open_board(None, None):
        assert stamina.instrumentation.get_on_retry_hooks() == ()
