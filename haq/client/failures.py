"""Which error a lost connection or a refusing answer of the service is.

ServerError
├── ServerLostError      it does not answer, or stopped in the middle: trying again may help
├── ServerBusyError      too many requests or searches, or its store is not to be had now
├── ServerRefusedError   the key, its role or the certificate is not accepted
└── ServerInvalidError   it was asked for something that it cannot do
    └── ServerUnknownError  there is no such search, model, data set, board, key or file
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx2

from haq.board.failures import PROBLEM, came_from_a_parser, causes, is_no_tls, read_problem
from quant.errors import HaqError

LONGEST_S = 60.0
"""A server that wants to be left alone for longer is not waited for."""
UNAVAILABLE_S = 5.0
"""The wait for a server that does not say how long it will be."""


class ServerError(HaqError):
    """The service failed to do what it was asked for."""


class ServerLostError(ServerError):
    """The service does not answer, or stopped in the middle: trying again may help."""


class ServerBusyError(ServerError):
    """The key has used up what it may, or the service cannot do it now."""

    def __init__(self, line: str, retry_after_s: float | None = None) -> None:
        """`retry_after_s` says when to come again, where that is known."""
        super().__init__(line)
        self.retry_after_s = retry_after_s


class ServerRefusedError(ServerError):
    """The key, its role or the certificate is not accepted."""


class ServerInvalidError(ServerError):
    """The service was asked for something that it cannot do."""


class ServerUnknownError(ServerInvalidError):
    """There is no such search, model, data set, board, key or file."""


def is_passing(error: Exception) -> bool | float:
    """Whether to try again, or in how many seconds."""
    if isinstance(error, ServerBusyError):
        wait_s = error.retry_after_s
        return False if wait_s is None or wait_s > LONGEST_S else wait_s
    return isinstance(error, ServerLostError)


def from_transport(url: str, error: httpx2.HTTPError, begun: bool) -> ServerError:
    """The error of a connection that failed; `begun` says that an answer had begun."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error)):
        todo = "give its authority's file (--server-ca)"
        return ServerRefusedError(f"the certificate of {url} is not trusted: {todo}")
    if any(is_no_tls(cause) for cause in causes(error)):
        return ServerInvalidError(f"what answers at {url} does not understand https: try http")
    if not begun and isinstance(error, httpx2.ProtocolError) and came_from_a_parser(error):
        return foreign(url)
    if isinstance(error, httpx2.DecodingError):
        return foreign(url)
    return ServerLostError(explain_loss(url, error))


def explain_loss(url: str, error: httpx2.HTTPError) -> str:
    """One line for a server that could not be reached or was lost."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return f"no server answers at {url}: start it with `haq serve`"
    if isinstance(error, httpx2.TimeoutException):
        return f"the server at {url} did not answer in time"
    return f"the server at {url} was lost: {str(error) or type(error).__name__}"


def from_answer(url: str, status: int, headers: Mapping[str, str], body: bytes) -> ServerError:
    """The error of an answer that is no success; the server's own words where it gives any."""
    problem = read_problem(body)
    detail = problem.get("detail") or httpx2.codes.get_reason_phrase(status)
    kind = str(problem.get("type", "")).removeprefix(PROBLEM)
    line = f"the server at {url} answers {status}: {detail}"
    if status == httpx2.codes.UNAUTHORIZED:
        return ServerRefusedError(
            f"the server at {url} refuses the key: give one of its keys (HAQ_SERVER_KEY)"
        )
    if status == httpx2.codes.TOO_MANY_REQUESTS or kind == "underway":
        default_s = UNAVAILABLE_S if kind == "underway" else None
        return ServerBusyError(line, retry_after_s(headers, default_s))
    if status == httpx2.codes.SERVICE_UNAVAILABLE:
        return ServerBusyError(line, retry_after_s(headers, UNAVAILABLE_S))
    if status >= 500:
        return ServerError(line) if problem else ServerLostError(line)
    return from_client(status, line)


def from_client(status: int, line: str) -> ServerError:
    """A 4xx, or a 3xx, which is followed nowhere."""
    if status == httpx2.codes.FORBIDDEN:
        return ServerRefusedError(line)
    is_unknown = status == httpx2.codes.NOT_FOUND
    return ServerUnknownError(line) if is_unknown else ServerInvalidError(line)


def retry_after_s(headers: Mapping[str, str], default_s: float | None) -> float | None:
    """What `Retry-After` says in seconds."""
    said = headers.get("retry-after", "")
    return float(said) if said.isascii() and said.isdigit() else default_s


def foreign(url: str) -> ServerInvalidError:
    """Something else answers."""
    return ServerInvalidError(f"what answers at {url} is not a haq server")
