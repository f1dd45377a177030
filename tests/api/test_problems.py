from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api import errors
from api.problems import TABLE, add_handlers
from quant.errors import BudgetError, HaqError, InputError, StorageError


@pytest.mark.parametrize(
    ("error", "status", "word"),
    [
        (errors.UnknownError("a"), 404, "unknown"),
        (errors.UnderwayError("a"), 409, "underway"),
        (errors.ConflictError("a"), 409, "conflict"),
        (errors.ForbiddenError("a"), 403, "forbidden"),
        (errors.LimitError("a"), 429, "limit"),
        (InputError("a"), 422, "invalid"),
        (BudgetError("a"), 422, "invalid"),
        (StorageError("a"), 503, "storage"),
    ],
)
def test_every_error_is_a_problem(error: HaqError, status: int, word: str) -> None:
    app = FastAPI()
    add_handlers(app)

    @app.get("/")
    def fail() -> None:
        raise error

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:haq:problem:{word}"
    assert answer.json()["detail"] == "a"
    assert ("retry-after" in answer.headers) == (status == 503)


def test_no_error_of_the_service_is_left_out() -> None:
    named = {kind for kind, *_ in TABLE}
    found = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    assert found - {errors.ServiceError, HaqError} <= named
