from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from quant.errors import StorageError
from tests.api.runs import put_search


def test_it_lives_and_is_ready(stranger: TestClient) -> None:
    for path in ("/healthz", "/readyz"):
        assert stranger.get(path).json() == {"status": "ok"}


def test_without_its_store_it_lives_and_is_not_ready(
    stranger: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(statement: Any) -> Any:
        raise StorageError("gone")

    monkeypatch.setattr(service.database, "read", fail)
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/readyz").status_code == 503


def test_numbers_name_routes_and_no_paths(client: TestClient, service: Service) -> None:
    job = put_search(service)
    client.get(f"/v1/searches/{job.id}")
    client.get("/v1/nothing/of/that/kind")
    text = client.get("/metrics").text
    assert 'haq_service_searches{state="queued"} 1.0' in text
    assert 'route="/v1/searches/{search_id}",status="200"' in text
    assert job.id not in text and "nothing" not in text
