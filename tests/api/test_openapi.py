from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

OPEN = {"/healthz", "/readyz"}


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(p, m, op) for p, methods in document["paths"].items() for m, op in methods.items()]


def test_it_is_the_one_that_is_served(client: TestClient, document: dict[str, Any]) -> None:
    assert client.get("/openapi.json").json() == document


def test_all_but_the_open_routes_need_a_key(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        assert ("security" not in operation) == (path in OPEN), path


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for path, _, operation in operations(document):
        assert "422" not in operation["responses"], path
        content = operation["responses"]["default"]["content"]
        assert list(content) == ["application/problem+json"], path
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert set(document["components"]["schemas"]["Problem"]["required"]) == {
        "type", "title", "status", "detail"
    }  # fmt: skip


def test_every_post_can_be_repeated(document: dict[str, Any]) -> None:
    posts = [(path, op) for path, method, op in operations(document) if method == "post"]
    assert len(posts) >= 9
    for path, operation in posts:
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert "Idempotency-Key" in names, path


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    def refs(part: Any) -> set[str]:
        if isinstance(part, dict):
            own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
            return own.union(*map(refs, part.values()))
        return set().union(*map(refs, part)) if isinstance(part, list) else set()

    assert refs(document) <= known


def test_pages_are_not_in_it(document: dict[str, Any]) -> None:
    assert all(path.startswith("/v1/") for path in set(document["paths"]) - OPEN - {"/metrics"})
