from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from device_agent.models.files import DiskFullError
from device_agent.models.networks import UnknownNetworkError
from device_agent.processes.jobs import JobError, JobTimeoutError, StoppingError
from device_agent.settings import Settings
from device_agent.web.problems import MAX_DETAIL, printable, problem
from device_agent.web.service import create_app
from quant.errors import BoardError, FormatError, InputError, PolicyError
from tests.device_agent.conftest import KEY

JSON = {"Content-Type": "application/json"}


def assert_problem(answer: Any, status: int, kind: str, detail: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert body["type"] == (kind if ":" in kind else f"urn:haq:problem:{kind}"), body
    assert body["title"] and body["detail"].strip()
    assert detail in body["detail"]


@pytest.fixture
def raising(settings: Settings) -> Iterator[TestClient]:
    """A client of a service one of whose routes raises what `errors` holds."""
    app = create_app(settings)

    @app.get("/raise")
    def fail() -> None:
        raise app.state.error

    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        yield client


def raised(client: TestClient, error: Exception) -> Any:
    client.app.state.error = error  # type: ignore[attr-defined]
    return client.get("/raise")


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (UnknownNetworkError("cause"), 404, "unknown-network"),
        (InputError("cause"), 422, "invalid"),
        (PolicyError("cause"), 422, "invalid"),
        (FormatError("cause"), 422, "invalid"),
        (JobError("cause"), 422, "job-failed"),
        (JobTimeoutError("cause"), 422, "job-timeout"),
        (StoppingError("cause"), 503, "stopping"),
        (DiskFullError("cause"), 507, "disk-full"),
        (BoardError("cause"), 500, "about:blank"),
        (OSError(errno.ENOSPC, "x"), 507, "disk-full"),
        (OSError(errno.EDQUOT, "x"), 507, "disk-full"),
        (OSError(errno.EFBIG, "x"), 507, "disk-full"),
        (PermissionError(errno.EACCES, "x"), 500, "about:blank"),
        (ValueError("x"), 500, "about:blank"),
    ],
)
def test_every_error_is_a_problem(
    raising: TestClient, error: Exception, status: int, kind: str
) -> None:
    answer = raised(raising, error)
    assert_problem(answer, status, kind)
    assert ("cause" in answer.json()["detail"]) == (str(error) == "cause")
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert raising.get("/healthz").status_code == 200


def test_the_text_of_a_surprise_stays_in_the_log(raising: TestClient) -> None:
    answer = raised(raising, ValueError("the secret"))
    assert_problem(answer, 500, "about:blank", "ValueError, see the log")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"", {422}),
        (b"{", {422}),
        (b"null", {422}),
        (b"[]", {422}),
        (b"[" * 200_000, {400}),
        (b'{"a":' * 200_000, {400}),
        (b'{"param": "\xff"}', {400}),
        (b"\xff\xfe\x00\x01", {400, 422}),
        (b'{"param": "\\ud800", "\\udfff": 1}', {422}),
        (b'{"ranges": {"\\ud800": 1.0, "x\\n\\u0000": NaN}}', {422}),
        (b'{"ranges": {"a": Infinity, "b": -Infinity}}', {422}),
        (b'{"input_shape": [1e400, NaN, -1]}', {422}),
        (b'{"input_shape": [' + b"9" * 4000 + b", 1, 1]}", {422}),
        (b'{"input_shape": [' + b"9" * 100_000 + b", 1, 1]}", {400, 422}),
        (b'{"' + b"x" * 100_000 + b'": 1}', {422}),
    ],
)
@pytest.mark.parametrize("route", ["/v1/networks", "/v1/measure", "/v1/profile"])
def test_bodies_that_are_no_request(
    client: TestClient, route: str, body: bytes, statuses: set[int]
) -> None:
    answer = client.post(route, content=body, headers=JSON)
    assert answer.status_code in statuses
    kind = "invalid" if answer.status_code == 422 else "about:blank"
    assert_problem(answer, answer.status_code, kind)
    assert len(answer.json()["detail"]) <= MAX_DETAIL + 3


def test_bodies_of_another_kind(client: TestClient) -> None:
    answer = client.post("/v1/measure", content=b"a=b", headers={"Content-Type": "text/plain"})
    assert_problem(answer, 422, "invalid")


def test_unknown_routes_and_methods(client: TestClient) -> None:
    assert_problem(client.get("/v1/nothing"), 404, "about:blank", "Not Found")
    answer = client.delete("/v1/device")
    assert_problem(answer, 405, "about:blank", "Method Not Allowed")
    assert answer.headers["Allow"] == "GET"


def test_a_policy_with_a_name_from_hell(client: TestClient, network: str) -> None:
    body = (
        b'{"network": "%s", "policies": [{"\\ud83d\\n\\u2028%s": 8}]}'
        % (network.encode(), b"x" * 5000)
    )  # fmt: skip
    answer = client.post("/v1/measure", content=body, headers=JSON)
    assert_problem(answer, 422, "invalid")
    assert len(answer.json()["detail"].splitlines()) == 1


def test_text_of_a_problem_is_one_line_of_bounded_length() -> None:
    assert printable("layer é") == "layer é"
    assert printable("a\nb\x00\ud800") == r"a\nb\x00\ud800"
    assert printable("x" * 2000) == "x" * MAX_DETAIL + "..."
    assert problem(422, "\ud800\x1b").body


def test_headers_of_a_problem() -> None:
    assert problem(503, "x").headers["Retry-After"] == "5"
    assert problem(503, "x", headers={"Retry-After": "9"}).headers["Retry-After"] == "9"
    assert "Retry-After" not in problem(422, "x").headers
