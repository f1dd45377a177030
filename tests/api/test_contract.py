"""Requests made of the OpenAPI document, sound and spoilt: each answer is as that declares it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from pydantic import SecretStr
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.workers import reach
from haq.names import Padding
from haq.prepare import load_network
from tests.api.conftest import ADMIN_KEY, bearer
from tests.api.runs import made_up_trial, put_search, put_trials

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 20
QUIETLY = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
OPERATIONS = [
    ("POST", "/v1/searches"),
    ("GET", "/v1/searches"),
    ("GET", "/v1/searches/{search_id}"),
    ("POST", "/v1/searches/{search_id}/pause"),
    ("POST", "/v1/searches/{search_id}/resume"),
    ("POST", "/v1/searches/{search_id}/cancel"),
    ("POST", "/v1/searches/{search_id}/clone"),
    ("GET", "/v1/searches/{search_id}/trials"),
    ("GET", "/v1/searches/{search_id}/trials/{episode}"),
    ("GET", "/v1/searches/{search_id}/pareto"),
    ("GET", "/v1/searches/{search_id}/events"),
    ("GET", "/v1/searches/{search_id}/artifacts"),
    ("GET", "/v1/searches/{search_id}/artifacts/{name}"),
    ("GET", "/v1/models"),
    ("POST", "/v1/models"),
    ("GET", "/v1/datasets"),
    ("POST", "/v1/datasets"),
    ("GET", "/v1/boards"),
    ("POST", "/v1/boards"),
    ("GET", "/v1/keys"),
    ("POST", "/v1/keys"),
    ("DELETE", "/v1/keys/{name}"),
    ("GET", "/v1/audit"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module", autouse=True)
def in_process() -> Iterator[None]:
    """What the service has processes of its own for is done here, since each loads torch."""

    def check(
        path: Path, architecture: str, input_size: int | None, padding: Padding | None
    ) -> Any:
        config, _ = load_network(architecture, path, input_size, padding)
        return {"input_size": config.input_size, "padding": config.padding}

    with pytest.MonkeyPatch.context() as patch, stamina.set_testing(True, attempts=1):
        patch.setattr("api.routes.models.check_weights", check)
        patch.setattr(reach, "ask", lambda module, question: reach.find(question))
        yield


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, TestClient, str]]:
    """Its document, a client, and a search that has ended, so that its events have an end."""
    folder = tmp_path_factory.mktemp("contract")
    app = create_app(
        Settings(
            data_dir=folder / "data",
            workers=0,
            admin_key=SecretStr(ADMIN_KEY),
            data_roots=(folder,),
            board_hosts=("127.0.0.1:1",),
            per_minute=1_000_000,
            max_searches=100_000,
        )
    )
    with TestClient(app, headers=bearer(ADMIN_KEY), raise_server_exceptions=False) as client:
        job = put_search(app.state.service)
        put_trials(app.state.service.database, job.id, map(made_up_trial, range(1, 4)))
        app.state.service.jobs.ask_to(job.id, "cancel")
        yield schemathesis.openapi.from_dict(app.openapi()), client, job.id


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_are_as_declared(
    service: tuple[Any, TestClient, str], method: str, path: str, mode: str
) -> None:
    schema, client, search_id = service
    operation = schema[path][method]
    strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode))

    @QUIETLY
    @given(case=strategy)
    def check(case: Any) -> None:
        send(client, case)
        if "search_id" in case.path_parameters:
            case.path_parameters["search_id"] = search_id
            send(client, case)

    try:
        check()
    except Unsatisfiable:
        pytest.skip("nothing can be spoilt")


def send(client: TestClient, case: Any) -> None:
    """Send a request, and hold its answer against the document."""
    sent = case.as_transport_kwargs(base_url="http://testserver")
    cookies = {"Cookie": "; ".join(f"{k}={v}" for k, v in (sent.pop("cookies") or {}).items())}
    headers = {**sent.pop("headers"), **(cookies if cookies["Cookie"] else {})}
    case.validate_response(client.request(**sent, headers=headers), checks=CHECKS)


def test_no_operation_is_left_out(service: tuple[Any, TestClient, str]) -> None:
    paths = service[0].raw_schema["paths"]
    assert {(m.upper(), p) for p, methods in paths.items() for m in methods} == set(OPERATIONS)
