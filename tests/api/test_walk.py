"""Every route of the application, tried by those who may not have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from starlette.routing import BaseRoute
from starlette.testclient import TestClient

from api.access.guard import is_open
from api.access.roles import ROLES, Role, may, needed_role
from api.service import Service
from api.settings import Settings
from api.store.schema import METADATA
from tests.api.conftest import Headers, bearer
from tests.api.runs import made_up_trial, put_search, put_trials

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OPEN = {"/healthz", "/readyz", "/login", "/static"}
VALUES = {"episode": "1", "number": "1", "name": "anna"}


def flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes, those of included routers among them."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from flat(included.routes)


def templates(app: FastAPI) -> list[str]:
    return sorted({str(route.path) for route in flat(app.routes)})  # type: ignore[attr-defined]


@pytest.fixture
def paths(app: FastAPI, service: Service) -> dict[str, str]:
    """Templates, and each as the path of something that is there."""
    job = put_search(service)
    put_trials(service.database, job.id, [made_up_trial(1)])
    service.keys.add("anna", "read")

    def value(found: re.Match[str]) -> str:
        return VALUES.get(found[1], job.id)

    return {t: re.sub(r"\{(\w+)(?::\w+)?\}", value, t) for t in templates(app)}


def everything(service: Service, settings: Settings) -> dict[str, Any]:
    """All rows and files of the service."""
    files = {
        str(path): path.read_bytes()
        for path in Path(settings.data_dir).rglob("*")
        if path.is_file() and "sqlite" not in path.name
    }
    rows = {
        t: list(map(tuple, service.database.read(select(METADATA.tables[t]))))
        for t in METADATA.tables
    }
    return {**files, **rows}


def test_what_is_open_is_these_and_nothing_else(app: FastAPI, stranger: TestClient) -> None:
    assert {t for t in templates(app) if is_open(t) or is_open(f"{t}/")} <= OPEN
    assert {"/healthz", "/readyz"} <= set(templates(app))
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/readyz").status_code == 200


def test_the_walk_is_complete(app: FastAPI) -> None:
    """Every path of the document is walked, and pages as well."""
    assert set(app.openapi()["paths"]) <= set(templates(app))
    assert {"/v1/searches", "/openapi.json"} <= set(templates(app))


@pytest.mark.parametrize("headers", [{}, bearer("wrong"), {"Cookie": "haq_session=admin:9:0"}])
def test_nobody_gets_anywhere(
    stranger: TestClient,
    service: Service,
    settings: Settings,
    paths: dict[str, str],
    headers: Headers,
) -> None:
    before = everything(service, settings)
    for template, path in paths.items():
        if template in OPEN:
            continue
        for method in METHODS:
            answer = stranger.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path)
    assert everything(service, settings) == before


@pytest.mark.parametrize("role", ROLES[:-1])
def test_a_weaker_role_changes_nothing_that_takes_a_stronger_one(
    stranger: TestClient,
    service: Service,
    settings: Settings,
    paths: dict[str, str],
    keys: dict[Role, Headers],
    role: Role,
) -> None:
    before, refused = everything(service, settings), 0
    for template, path in paths.items():
        for method in METHODS:
            if template in OPEN or may(role, needed_role(method, path)):
                continue
            answer = stranger.request(method, path, headers=keys[role])
            assert answer.status_code == 403, (method, path)
            refused += 1
    assert refused > 10
    assert everything(service, settings) == before


def test_looking_changes_nothing(
    stranger: TestClient,
    service: Service,
    settings: Settings,
    paths: dict[str, str],
    keys: dict[Role, Headers],
) -> None:
    """So the role to read is safe to give away."""
    service.jobs.ask_to(service.jobs.page()[0].id, "cancel")
    before = everything(service, settings)
    for template, path in paths.items():
        if template not in OPEN:
            answer = stranger.get(path, headers=keys["read"])
            assert answer.status_code < 500, path
    after = everything(service, settings)
    # What pages derive is kept beside the data.
    assert {name: after[name] for name in before} == before


def test_roles_to_change_can_change(
    stranger: TestClient, service: Service, keys: dict[Role, Headers]
) -> None:
    assert stranger.post("/v1/searches", json={}, headers=keys["run"]).status_code == 201
    assert stranger.delete("/v1/keys/read", headers=keys["admin"]).status_code == 204
    assert [line.key_name for line in service.trail.newest(2)] == ["admin", "run"]
