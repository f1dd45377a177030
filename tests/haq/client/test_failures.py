from __future__ import annotations

import ssl

import httpx2
import pytest

from haq.client import failures
from haq.client.failures import (
    ServerBusyError,
    ServerError,
    ServerInvalidError,
    ServerLostError,
    ServerRefusedError,
    from_transport,
    is_passing,
    retry_after_s,
)
from quant.errors import HaqError


def caused(error: httpx2.HTTPError, cause: BaseException) -> httpx2.HTTPError:
    error.__cause__ = cause
    return error


def test_every_error_is_drawn_in_the_tree() -> None:
    assert failures.__doc__ is not None
    kinds = {n for n, k in vars(failures).items() if isinstance(k, type) and n.startswith("Serv")}
    assert kinds >= {"ServerError", "ServerLostError"}
    assert {name for name in kinds if name not in failures.__doc__} == set()
    assert issubclass(ServerError, HaqError)


def test_a_certificate_that_is_not_trusted() -> None:
    error = caused(httpx2.ConnectError("x"), ssl.SSLCertVerificationError())
    found = from_transport("https://s", error, False)
    assert type(found) is ServerRefusedError
    assert "--server-ca" in str(found)


def test_https_to_a_server_without() -> None:
    cause = ssl.SSLError()
    cause.reason = "WRONG_VERSION_NUMBER"
    found = from_transport("https://s", caused(httpx2.ConnectError("x"), cause), False)
    assert (type(found), "try http" in str(found)) == (ServerInvalidError, True)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx2.ConnectTimeout(""), "no server answers at http://s: start it with `haq serve`"),
        (httpx2.ReadTimeout(""), "the server at http://s did not answer in time"),
        (httpx2.ReadError(""), "the server at http://s was lost: ReadError"),
    ],
)
def test_losses(error: httpx2.HTTPError, said: str) -> None:
    found = from_transport("http://s", error, False)
    assert (type(found), str(found)) == (ServerLostError, said)


def test_what_passes() -> None:
    assert is_passing(ServerLostError("x")) is True
    assert is_passing(ServerBusyError("x", 2.0)) == 2.0
    assert is_passing(ServerBusyError("x")) is False
    assert is_passing(ServerBusyError("x", 3600.0)) is False
    assert is_passing(ServerInvalidError("x")) is False


@pytest.mark.parametrize(
    ("said", "seconds"), [("7", 7.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
def test_when_to_come_again(said: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": said}, None) == seconds
