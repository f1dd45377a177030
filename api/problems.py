"""Every error as one JSON problem object (RFC 9457)."""

from __future__ import annotations

from fastapi import FastAPI

from api.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    LimitError,
    UnderwayError,
    UnknownError,
)
from device_agent.web import problems
from quant.errors import InputError, StorageError

TABLE: problems.Table = (
    (UnknownError, 404, "unknown"),
    (UnderwayError, 409, "underway"),
    (ConflictError, 409, "conflict"),
    (ForbiddenError, 403, "forbidden"),
    (LimitError, 429, "limit"),
    (BusyError, 503, "busy"),
    (InputError, 422, "invalid"),
    (StorageError, 503, "storage"),
)


def add_handlers(app: FastAPI) -> None:
    """Answer every kind of error of the application with a problem."""
    problems.add_handlers(app, TABLE)
