"""Uploads: what is refused leaves nothing behind, and runs nothing."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

from api.limits import BodyLimit
from api.routes.models import PATH
from api.service import Service
from api.settings import Settings
from bench.api.server import Server
from haq.digest import to_header
from tests.api.conftest import ADMIN_KEY
from tests.device_agent.server import in_thread, talk
from tests.device_agent.web.test_limits import chunked, echo_size, head, length, status
from tests.haq.own_files import write_own
from tests.haq.subjects import write_small_weights

LIMIT = 300_000
ASKED = {"name": "small", "input_size": "16"}
SEEN = {"input_size": 16, "padding": "torch"}
BINARY = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_small_weights(tmp_path_factory.mktemp("weights") / "w.safetensors").read_bytes()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_upload_bytes": 4_000_000, "max_request_bytes": 1000})


def kept(service: Service) -> list[str]:
    return sorted(path.name for path in service.settings.models_dir.iterdir())


def upload(client: TestClient, data: Any, **headers: str) -> Any:
    return client.post(PATH, params=ASKED, content=data, headers={**BINARY, **headers})


def refuse_to_check(*args: Any, **options: Any) -> None:
    raise AssertionError("this is not to be looked at")


def test_a_model_is_kept_and_found(client: TestClient, service: Service, weights: bytes) -> None:
    digest = hashlib.sha256(weights).hexdigest()
    answer = upload(client, weights, **{"Repr-Digest": to_header(digest), "Idempotency-Key": "a"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["sha256"] == digest
    again = upload(client, weights, **{"Repr-Digest": to_header(digest), "Idempotency-Key": "a"})
    assert again.json() == answer.json() and again.headers["idempotent-replayed"] == "true"
    assert client.get(PATH).json() == {"models": [answer.json()]}
    assert kept(service) == [f"{digest}.safetensors"]
    begun = client.post("/v1/searches", json={"model": "small"})
    assert begun.status_code == 201


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_a_network_that_is_a_file(
    client: TestClient, service: Service, tmp_path: Path, ending: str
) -> None:
    data = write_own(tmp_path / f"net.{ending}", channels=1).read_bytes()
    asked = {"name": "mine", "architecture": ending}
    answer = client.post(PATH, params=asked, content=data, headers=BINARY)
    assert answer.status_code == 201, answer.text
    assert answer.json()["input_size"] == 16
    assert kept(service) == [f"{hashlib.sha256(data).hexdigest()}.{ending}"]
    budgets = ["size=0.5x"]
    begun = client.post("/v1/searches", json={"model": "mine", "budgets": budgets})
    assert begun.status_code == 201, begun.text
    found = service.jobs.get(begun.json()["id"]).spec["asked"]["model"]
    assert found == str(service.models.path(answer.json()["sha256"], ending))


def test_code_of_users_is_not_run(client: TestClient) -> None:
    """A function of the user's, as the command line takes it, is no name of a model here."""
    for model in ("os:getcwd", "mine.nets:make", "../net.onnx", "net.onnx"):
        answer = client.post("/v1/searches", json={"model": model})
        assert answer.status_code in (404, 422), answer.text
        assert model in answer.text or "model" in answer.text


class Bomb:
    def __reduce__(self) -> Any:
        return Path.touch, (Path(BOMB[0]),)


BOMB: list[str] = []


def pickled() -> bytes:
    return pickle.dumps({"weights": Bomb()})


def checkpoint() -> bytes:
    stream = io.BytesIO()
    torch.save({"weights": Bomb()}, stream)
    return stream.getvalue()


def archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        made.writestr("../../escaped", "x")
        made.writestr("archive/data.pkl", pickled())
    return stream.getvalue()


@pytest.mark.parametrize(
    ("make", "architecture"),
    [
        *((pickled, "mbv2"), (checkpoint, "mbv2"), (archive, "mbv2")),
        *((pickled, "onnx"), (checkpoint, "pt2")),
    ],
)
def test_code_is_refused_and_does_not_run(
    client: TestClient, service: Service, tmp_path: Path, make: Any, architecture: str
) -> None:
    BOMB[:] = [str(tmp_path / "exploded")]
    data = make()
    asked = {**ASKED, "architecture": architecture}
    answer = client.post(PATH, params=asked, content=data, headers=BINARY)
    assert answer.status_code == 422, answer.text
    assert kept(service) == []
    assert not (tmp_path / "exploded").exists()
    assert not list(tmp_path.rglob("escaped"))
    assert service.models.all() == []
    pickle.loads(pickled())
    assert (tmp_path / "exploded").exists(), "the bomb is a dud"


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"\xff" * 100, (2**62).to_bytes(8, "little")])
def test_what_is_no_model_is_refused(
    client: TestClient, service: Service, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from haq.prepare import load_network

    def check(path: Path, architecture: str, input_size: int, padding: Any) -> None:
        load_network(architecture, path, input_size, padding)

    monkeypatch.setattr("api.routes.models.check_weights", check)
    assert upload(client, data).status_code == 422
    assert kept(service) == []


def test_another_digest_is_refused_unlooked_at(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.models.check_weights", refuse_to_check)
    wrong = to_header(hashlib.sha256(b"other").hexdigest())
    assert upload(client, b"data", **{"Repr-Digest": wrong}).status_code == 422
    assert upload(client, b"data", **{"Repr-Digest": "sha-512=:x:"}).status_code == 422
    assert kept(service) == []


def test_a_refused_upload_may_be_repeated(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.routes.models.check_weights", lambda path, **asked: SEEN)
    once = {"Idempotency-Key": "a", "Repr-Digest": to_header(hashlib.sha256(b"x").hexdigest())}
    assert upload(client, b"y", **once).status_code == 422
    assert upload(client, b"x", **once).status_code == 201


@pytest.mark.parametrize("kind", [BINARY, {}, {"Content-Type": "application/json"}])
def test_no_upload_is_held_in_memory(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, kind: dict[str, str]
) -> None:
    """Neither for its fingerprint, whatever it says that it is."""
    from starlette.requests import Request

    async def body(self: Request) -> bytes:
        raise AssertionError("all of it was read")

    monkeypatch.setattr(Request, "body", body)
    monkeypatch.setattr("api.routes.models.check_weights", lambda path, **asked: SEEN)
    headers = {**kind, "Idempotency-Key": "a"}
    answer = client.post(PATH, params=ASKED, content=b"{}", headers=headers)
    assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    limits = {"MAX_UPLOAD_BYTES": str(LIMIT), "MAX_REQUEST_BYTES": "1000", "WORKERS": "0"}
    found = Server(tmp_path_factory.mktemp("server"), limits)
    found.start()
    yield found
    found.kill()


AUTH = f"Authorization: Bearer {ADMIN_KEY}\r\n".encode()
OCTETS = b"Content-Type: application/octet-stream\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
PLACE = f"{PATH}?name=small&input_size=16"


def stored(server: Server) -> list[Path]:
    return list((server.data / "models").iterdir())


@pytest.mark.parametrize("place", [PLACE, "/v1/searches", f"{PATH}/", "/v1/datasets"])
def test_an_announced_body_over_the_limit_is_refused_unread(server: Server, place: str) -> None:
    limit = LIMIT if place == PLACE else 1000
    answer = talk(server.port, head("POST", place, AUTH, OCTETS, length(limit + 1)))
    assert status(answer) == 413
    assert stored(server) == []


@pytest.mark.parametrize("place", [PLACE, "/v1/searches"])
def test_a_chunked_body_is_cut_off_at_the_limit(server: Server, place: str) -> None:
    kind = OCTETS if place == PLACE else b"Content-Type: application/json\r\n"
    data = chunked(b"[" * (LIMIT + 1))
    assert status(talk(server.port, head("POST", place, AUTH, kind, CHUNKED), data)) == 413
    assert stored(server) == []


def test_without_a_key_no_body_is_asked_for(server: Server) -> None:
    expect = b"Expect: 100-continue\r\n"
    answer = talk(server.port, head("POST", PLACE, OCTETS, expect, length(1000)))
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_a_body_that_does_not_come_is_given_up() -> None:
    """As the application has it, with less patience."""
    with in_thread(BodyLimit(echo_size, 1000, 1000, patience_s=0.2)) as port:
        assert status(talk(port, head("POST", PATH, length(10)), b"12345")) == 408
        assert status(talk(port, head("POST", PATH, length(5)), b"12345")) == 200


def test_the_server_lives_after_all_that(server: Server) -> None:
    with server.client() as client:
        assert client.get("/readyz").status_code == 200
        assert client.get(PATH).json() == {"models": []}
    assert "Traceback" not in server.log
