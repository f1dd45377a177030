from __future__ import annotations

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(
    ("name", "kind"), [("haq.css", "text/css"), ("live.js", "javascript"), ("icon.svg", "svg")]
)
def test_style_and_script_need_no_key(stranger: TestClient, name: str, kind: str) -> None:
    answer = stranger.get(f"/static/{name}")
    assert answer.status_code == 200
    assert kind in answer.headers["content-type"]


def test_nothing_else_lies_there(stranger: TestClient) -> None:
    assert stranger.get("/static/../render.py").status_code == 401
    assert stranger.get("/static/%2e%2e/render.py").status_code in (401, 404)


def test_pages_are_no_part_of_the_interface_for_programs(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert all(path.startswith(("/v1/", "/healthz", "/readyz", "/metrics")) for path in paths)
