"""Every error as one JSON problem object (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from device_agent.memory.idempotency import IdempotencyError
from device_agent.models.files import DiskFullError, UnknownFileError, is_disk_full
from device_agent.models.networks import UnknownNetworkError
from device_agent.processes.jobs import JobError, JobTimeoutError, StoppingError
from device_agent.turns.line import LeaseLostError, QueueFullError
from quant.errors import FormatError, HaqError, InputError

MEDIA_TYPE = "application/problem+json"
BLANK, PREFIX = "about:blank", "urn:haq:problem:"
RETRY_AFTER_S = 5
MAX_DETAIL = 1000
Table = tuple[tuple[type[HaqError], int, str], ...]
"""Status and last word of the type; the first line that fits an error counts."""
PROBLEM_BY_ERROR: Table = (
    (UnknownFileError, 404, "unknown-file"),
    (UnknownNetworkError, 404, "unknown-network"),
    (IdempotencyError, 422, "idempotency-mismatch"),
    (InputError, 422, "invalid"),
    (FormatError, 422, "invalid"),
    (JobTimeoutError, 422, "job-timeout"),
    (JobError, 422, "job-failed"),
    (LeaseLostError, 409, "lease-lost"),
    (QueueFullError, 503, "queue-full"),
    (StoppingError, 503, "stopping"),
    (DiskFullError, 507, "disk-full"),
)


def problem(
    status: int, detail: str, kind: str = BLANK, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """`{"type", "title", "status", "detail"}` with its media type; 503 says when to come again."""
    body = {
        "type": kind,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": printable(detail),
    }
    retry = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return JSONResponse(body, status, {**retry, **(headers or {})}, MEDIA_TYPE)


def printable(text: str) -> str:
    """One line of bounded length: clients send names with line breaks and halves of characters."""
    cut = text if len(text) <= MAX_DETAIL else f"{text[:MAX_DETAIL]}..."
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def add_handlers(app: FastAPI, table: Table = PROBLEM_BY_ERROR) -> None:
    """Answer every kind of error of an application with a problem."""
    app.add_exception_handler(HTTPException, from_http)
    app.add_exception_handler(RequestValidationError, from_validation)
    app.add_exception_handler(HaqError, partial(from_purpose, table=table))
    app.add_exception_handler(OSError, from_system)
    app.add_exception_handler(Exception, from_surprise)


def from_http(request: Request, error: Exception) -> JSONResponse:
    """Unknown routes, wrong methods, bodies that are too large or no JSON at all."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, headers=error.headers)


def from_validation(request: Request, error: Exception) -> JSONResponse:
    """422 with the place and the reason of the first faults; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, f['loc']))[:200]}: {f['msg']}" for f in error.errors()[:3]]
    return problem(422, "; ".join(faults), f"{PREFIX}invalid")


def from_purpose(
    request: Request, error: Exception, table: Table = PROBLEM_BY_ERROR
) -> JSONResponse:
    """Errors raised on purpose: by the table, or 500 where it does not name them."""
    for kind, status, word in table:
        if isinstance(error, kind):
            return problem(status, str(error), f"{PREFIX}{word}")
    return problem(500, str(error))


def from_system(request: Request, error: Exception) -> JSONResponse:
    """507 where the disk is full; any other error of the system is a surprise."""
    if not is_disk_full(error):
        raise error
    return from_purpose(request, DiskFullError("the disk here is full: nothing was kept"))


def from_surprise(request: Request, error: Exception) -> JSONResponse:
    """Anything else; the text of the error stays in the log."""
    return problem(500, f"this failed here: {type(error).__name__}, see the log")
