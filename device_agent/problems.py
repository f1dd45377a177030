"""Every error as one JSON problem object (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from device_agent.jobs import JobTimeoutError
from device_agent.networks import UnknownNetworkError
from quant.errors import FormatError, HaqError, InputError

MEDIA_TYPE = "application/problem+json"
STATUS_BY_ERROR: tuple[tuple[type[HaqError], int], ...] = (
    (UnknownNetworkError, 404),
    (InputError, 422),
    (FormatError, 422),
    (JobTimeoutError, 504),
)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """`{"type", "title", "status", "detail"}` with its media type."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def add_handlers(app: FastAPI) -> None:
    """Answer every kind of error of an application with a problem."""
    app.add_exception_handler(HTTPException, from_http)
    app.add_exception_handler(RequestValidationError, from_validation)
    app.add_exception_handler(HaqError, from_purpose)
    app.add_exception_handler(Exception, from_surprise)


def from_http(request: Request, error: Exception) -> JSONResponse:
    """Unknown routes, wrong methods, bodies that are too large."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, error.headers)


def from_validation(request: Request, error: Exception) -> JSONResponse:
    """422 with the place and the reason of the first faults; what was sent is not repeated."""
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, f['loc']))[:200]}: {f['msg']}" for f in error.errors()[:3]]
    return problem(422, "; ".join(faults))


def from_purpose(request: Request, error: Exception) -> JSONResponse:
    """Errors raised on purpose: 4xx where the request is at fault, 5xx where the job failed."""
    found = (status for kind, status in STATUS_BY_ERROR if isinstance(error, kind))
    return problem(next(found, 500), str(error))


def from_surprise(request: Request, error: Exception) -> JSONResponse:
    """Anything else; the text of the error stays in the log."""
    return problem(500, f"the agent failed: {type(error).__name__}, see its log")
