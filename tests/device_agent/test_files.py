from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.service import create_app
from device_agent.settings import Settings
from tests.device_agent.conftest import KEY, put

DATA = b"weights" * 100


def stored(settings: Settings) -> list[Path]:
    return list((settings.data_dir / "files").iterdir())


def chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 10):
        yield data[start : start + 10]


def test_a_file_is_kept_under_its_digest(client: TestClient, settings: Settings) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    assert client.head(f"/v1/files/{digest}").status_code == 404
    for _ in range(2):
        assert put(client, DATA) == digest
    assert client.head(f"/v1/files/{digest}").status_code == 200
    answer = client.get(f"/v1/files/{digest}").json()
    assert answer == {"sha256": digest, "size_bytes": len(DATA)}
    (path,) = stored(settings)
    assert path.read_bytes() == DATA


def test_a_flipped_byte_is_refused_and_not_kept(client: TestClient, settings: Settings) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    answer = client.put(f"/v1/files/{digest}", content=b"W" + DATA[1:])
    assert answer.status_code == 422
    assert "SHA-256" in answer.json()["detail"]
    assert stored(settings) == []


@pytest.mark.parametrize("name", ["x", "0" * 63, "A" * 64, "..%2F" + "0" * 61, "0" * 64 + "%0A"])
def test_names_are_digests(client: TestClient, settings: Settings, name: str) -> None:
    assert client.put(f"/v1/files/{name}", content=DATA).status_code in {404, 422}
    assert stored(settings) == []


@pytest.mark.parametrize("announced", [True, False])
def test_uploads_over_the_limit_are_refused(tmp_path: Path, announced: bool) -> None:
    settings = Settings(key=SecretStr(KEY), data_dir=tmp_path, max_upload_bytes=len(DATA) - 1)
    digest = hashlib.sha256(DATA).hexdigest()
    content = DATA if announced else chunks(DATA)
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(create_app(settings), headers=headers) as client:
        answer = client.put(f"/v1/files/{digest}", content=content)
        assert ("content-length" in answer.request.headers) == announced
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"the body is larger than {len(DATA) - 1} bytes"
    assert stored(settings) == []


@pytest.mark.parametrize("announced", [True, False])
def test_other_bodies_have_a_limit_of_their_own(tmp_path: Path, announced: bool) -> None:
    settings = Settings(key=SecretStr(KEY), data_dir=tmp_path, max_request_bytes=100)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    body = b"[" + b" " * 200 + b"]"
    with TestClient(create_app(settings), headers=headers) as client:
        answer = client.post("/v1/measure", content=body if announced else chunks(body))
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert put(client, DATA)


def test_leftovers_of_a_killed_upload_go_at_the_next_start(settings: Settings) -> None:
    folder = settings.data_dir / "files"
    folder.mkdir()
    (folder / ".partial-abc").write_bytes(b"half")
    with TestClient(create_app(settings)):
        assert stored(settings) == []
