from __future__ import annotations

import httpx2
import pytest

from haq.board.failures import LeaseLostError, came_from_a_parser, from_answer, read_problem
from quant.errors import BoardInvalidError, BoardLostError
from tests.haq.board.test_connection import connected
from tests.haq.board.wire import sending


def test_a_loss_while_another_error_is_handled_is_still_a_loss() -> None:
    with connected(sending(b"")) as (connection, _):
        try:
            raise LeaseLostError("taken over")
        except LeaseLostError:
            with pytest.raises(BoardLostError):
                connection.ask("GET", "/v1/device")


def test_only_a_parser_says_that_bytes_are_no_http() -> None:
    assert not came_from_a_parser(httpx2.RemoteProtocolError("half a body"))
    with connected(sending(b"\x00\r\n\r\n")) as (connection, _), pytest.raises(BoardInvalidError):
        connection.ask("GET", "/v1/device")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"detail": 1}', b"\xff", b"<html>"])
def test_what_is_no_problem_has_no_words_of_its_own(body: bytes) -> None:
    assert read_problem(body) == {}
    assert isinstance(from_answer("http://board", 500, body), BoardLostError)
    assert str(from_answer("http://board", 404, body)).endswith("answers 404: Not Found")
