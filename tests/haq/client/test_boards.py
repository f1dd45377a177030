import pytest

from haq.client import Client, ServerRefusedError
from tests.haq.board.wire import answering, serving


def test_a_board_is_added_and_what_it_answers_is_told(client: Client) -> None:
    with serving(answering(b"{}", b"HTTP/1.1 401 Unauthorized\r\n")) as board:
        made = client.add_board("pi5", board.url, key_env="HAQ_BOARD_KEY_PI5")
        assert (made.name, made.url, made.reachable) == ("pi5", board.url, False)
        assert made.problem is not None
        assert [found.name for found in client.boards()] == ["pi5"]


def test_a_host_that_is_not_allowed(client: Client) -> None:
    with pytest.raises(ServerRefusedError, match="HAQ_SERVICE_BOARD_HOSTS"):
        client.add_board("pi5", "http://192.0.2.1:8100")
    assert client.boards() == ()
