from __future__ import annotations

import hashlib

import pytest
from starlette.testclient import TestClient

from api.service import Service
from api.views import folder_of
from haq.digest import to_header
from haq.store import RunFolder
from tests.api.runs import put_search

DATA = bytes(range(256)) * 10


@pytest.fixture
def folder(client: TestClient, service: Service) -> RunFolder:
    found = folder_of(service, put_search(service))
    found.path.mkdir()
    found.onnx.write_bytes(DATA)
    found.report.write_text("<script>alert(1)</script>")
    return found


@pytest.fixture
def place(folder: RunFolder) -> str:
    return f"/v1/searches/{folder.name}/artifacts"


def test_they_are_listed_with_their_digests(client: TestClient, place: str) -> None:
    found = {artifact["name"]: artifact for artifact in client.get(place).json()["artifacts"]}
    assert set(found) == {"mbv2.onnx", "report.html"}
    assert found["mbv2.onnx"]["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert found["mbv2.onnx"]["size_bytes"] == len(DATA)


def test_a_file_is_fetched_whole(client: TestClient, place: str) -> None:
    answer = client.get(f"{place}/mbv2.onnx")
    assert answer.content == DATA
    assert answer.headers["repr-digest"] == to_header(hashlib.sha256(DATA).hexdigest())
    assert answer.headers["content-disposition"] == 'attachment; filename="mbv2.onnx"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = client.head(f"{place}/mbv2.onnx")
    assert (head.content, head.headers["content-length"]) == (b"", str(len(DATA)))


def test_a_broken_download_goes_on(client: TestClient, place: str) -> None:
    answer = client.get(f"{place}/mbv2.onnx", headers={"Range": "bytes=1000-"})
    assert (answer.status_code, answer.content) == (206, DATA[1000:])
    assert answer.headers["repr-digest"] == to_header(hashlib.sha256(DATA).hexdigest())


@pytest.mark.parametrize(
    ("text", "status"), [("bytes=99999-", 416), ("bytes=5-1", 400), ("lines=1-2", 400), ("x", 400)]
)
def test_parts_that_are_none(client: TestClient, place: str, text: str, status: int) -> None:
    answer = client.get(f"{place}/mbv2.onnx", headers={"Range": text})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


def test_a_report_is_shown_and_runs_nothing(client: TestClient, place: str) -> None:
    answer = client.get(f"{place}/report.html")
    assert answer.headers["content-disposition"].startswith("inline")
    policy = answer.headers["content-security-policy"]
    assert "sandbox" in policy and "default-src 'none'" in policy and "script" not in policy


def test_what_is_no_artifact(client: TestClient, place: str) -> None:
    for name in ("run.json", "policy.json", ".hidden", "a" * 200):
        assert client.get(f"{place}/{name}").status_code in {404, 422}
