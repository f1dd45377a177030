"""Which error a lost connection or a refusing answer is."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx2

from quant.errors import (
    BoardBusyError,
    BoardError,
    BoardInvalidError,
    BoardLostError,
    BoardRefusedError,
)

START_HINT = "HAQ_AGENT_KEY=... HAQ_AGENT_HOST=... HAQ_AGENT_PORT=... haq-agent"
PROBLEM = "urn:haq:problem:"


class LeaseLostError(BoardBusyError):
    """The lease has expired, or the agent was started anew."""


class StoppingError(BoardBusyError):
    """The agent is about to stop; it may come back."""


class AbsentError(BoardInvalidError):
    """The agent has no such network or file."""


def from_transport(url: str, error: httpx2.HTTPError, begun: bool) -> BoardError:
    """The error of a connection that failed; `begun` says that an answer had begun."""
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error)):
        todo = "give its authority's file (--board-ca, or --ca of `haq boards add`)"
        return BoardRefusedError(f"the certificate of {url} is not trusted: {todo}")
    if any(is_no_tls(cause) for cause in causes(error)):
        return BoardInvalidError(f"what answers at {url} does not understand https: try http")
    if not begun and isinstance(error, httpx2.ProtocolError) and came_from_a_parser(error):
        return foreign(url)
    if isinstance(error, httpx2.DecodingError):
        return foreign(url)
    return BoardLostError(explain_loss(url, error))


def explain_loss(url: str, error: httpx2.HTTPError) -> str:
    """One line for a board that could not be reached or was lost."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return f"no device agent answers at {url}: start it with `{START_HINT}`"
    if isinstance(error, httpx2.TimeoutException):
        return f"the device agent at {url} did not answer in time"
    return f"the device agent at {url} was lost: {str(error) or type(error).__name__}"


def from_answer(url: str, status: int, body: bytes) -> BoardError:
    """The error of an answer that is no success; the agent's own words where it gives any."""
    problem = read_problem(body)
    detail = problem.get("detail") or httpx2.codes.get_reason_phrase(status)
    line = f"the device agent at {url} answers {status}: {detail}"
    kind = str(problem.get("type", "")).removeprefix(PROBLEM)
    if status == httpx2.codes.UNAUTHORIZED:
        line = f"the device agent at {url} refuses the key: it must equal the agent's HAQ_AGENT_KEY"
        return BoardRefusedError(line)
    if status >= 500:
        return from_server(kind, line) if problem else BoardLostError(line)
    return from_client(status, kind, line)


def from_server(kind: str, line: str) -> BoardError:
    """A 5xx that the agent itself gives."""
    if kind == "stopping":
        return StoppingError(line)
    return BoardBusyError(line) if kind == "queue-full" else BoardError(line)


def from_client(status: int, kind: str, line: str) -> BoardError:
    """A 4xx, or a 3xx, which no agent gives."""
    if status == httpx2.codes.FORBIDDEN:
        return BoardRefusedError(line)
    if status == httpx2.codes.CONFLICT and kind == "lease-lost":
        return LeaseLostError(line)
    return AbsentError(line) if status == httpx2.codes.NOT_FOUND else BoardInvalidError(line)


def foreign(url: str) -> BoardInvalidError:
    """Something else answers."""
    return BoardInvalidError(f"what answers at {url} is not a haq device agent")


def read_problem(body: bytes) -> dict[str, Any]:
    """A problem object (RFC 9457), or an empty one where the body is something else."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("detail"), str) else {}


def came_from_a_parser(error: httpx2.HTTPError) -> bool:
    """Whether bytes came that are no HTTP; h11, below httpx2, is what reads them."""
    return any(type(cause).__module__.startswith("h11.") for cause in causes(error))


def is_no_tls(cause: BaseException) -> bool:
    """Whether an answer to a TLS greeting was something else, not just a closed connection."""
    return isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER"


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what caused it, and so on."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
