from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.access.roles import ROLES, Role
from api.app import create_app
from api.service import Service
from api.settings import Settings
from haq.store.database import PRAGMAS

ADMIN_KEY = "correct horse battery staple"
Headers = dict[str, str]


def bearer(secret: str) -> Headers:
    """The header by which a key is shown."""
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(autouse=True, scope="session")
def quick_stores() -> Iterator[None]:
    """No commit waits for the disk: no power is cut here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("haq.store.database.PRAGMAS", (*PRAGMAS, "synchronous = OFF"))
        yield


@pytest.fixture
def images_root(tmp_path: Path) -> Path:
    """The folder below which data sets may be registered."""
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


@pytest.fixture
def settings(tmp_path: Path, images_root: Path) -> Settings:
    """Without workers: searches stay in the queue unless a test takes them."""
    return Settings(
        data_dir=tmp_path / "data",
        workers=0,
        admin_key=SecretStr(ADMIN_KEY),
        data_roots=(images_root,),
        per_minute=1_000_000,
        max_searches=10_000,
    )


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    """Has the operator's key; an error of the service is its answer, as outside."""
    with TestClient(app, headers=bearer(ADMIN_KEY), raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def stranger(client: TestClient, app: FastAPI) -> TestClient:
    """Has no key."""
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False)


@pytest.fixture
def service(app: FastAPI, client: TestClient) -> Service:
    """What stands behind the client."""
    found: Service = app.state.service
    return found


@pytest.fixture
def keys(service: Service) -> dict[Role, Headers]:
    """The header of a key of each role; the keys are called as their roles."""
    return {role: bearer(service.keys.add(role, role)) for role in ROLES}
