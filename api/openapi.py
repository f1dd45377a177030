"""What the service says of itself: problems and keys in the OpenAPI document."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from api.schema import Problem

OPEN = ("/healthz", "/readyz")
KEY = {"key": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"}}
PROBLEM = "application/problem+json"


def describe(app: FastAPI) -> None:
    """Have the document say that every error is a problem, and what needs a key."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = completed(make())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with the schema of problems in place of FastAPI's own, and with keys."""
    parts = document["components"]
    parts["schemas"]["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(name, None)
    parts["securitySchemes"] = KEY
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            if path not in OPEN:
                operation["security"] = [{"key": []}]
    return document
