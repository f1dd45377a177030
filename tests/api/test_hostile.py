"""Names, paths and keys from outside: none leads out of the data folder, and none to an error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from api.views import folder_of
from tests.api.conftest import ADMIN_KEY, bearer
from tests.api.runs import put_search

SECRET = "nobody may read this"
MANY = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
PARTS = [
    *("..", ".", "/", "\\", "\0", "%2e%2e", "%2f", "%00", "%252e", "secret", "session.key"),
    *("haq.sqlite", "summary.json", "run.json", "out", "~", "é", "\u202e", "\uff0e", "\U0001f4a3"),
]
NAMES = st.one_of(
    st.lists(st.sampled_from(PARTS), max_size=8).map("".join),
    st.lists(st.sampled_from(PARTS), max_size=8).map("/".join),
    st.text(max_size=60),
    st.text(min_size=300, max_size=400),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str, Path]]:
    """A client, the id of a search with a file, and the folder around the data."""
    folder = tmp_path_factory.mktemp("hostile")
    root = folder / "root"
    root.mkdir()
    for file in (folder / "secret", root / "file"):
        file.write_text(SECRET)
    (root / "out").symlink_to(folder)
    app = create_app(
        Settings(
            data_dir=folder / "data",
            workers=0,
            admin_key=SecretStr(ADMIN_KEY),
            data_roots=(root,),
            per_minute=1_000_000,
            max_searches=100_000,
        )
    )
    with TestClient(app, headers=bearer(ADMIN_KEY), raise_server_exceptions=False) as client:
        service = app.state.service
        job = put_search(service)
        run = folder_of(service, job)
        run.path.mkdir()
        run.summary.write_text("{}")
        run.settings.write_text(SECRET)
        (run.path / "secret").write_text(SECRET)
        run.policy.symlink_to(run.path / "missing")
        yield client, job.id, folder


@MANY
@given(NAMES, st.booleans())
def test_no_name_of_an_artifact_leads_elsewhere(
    place: tuple[TestClient, str, Path], name: str, is_quoted: bool
) -> None:
    client, search_id, _ = place
    text = quote(name, safe="") if is_quoted else quote(name, safe="/%\\~")
    answer = client.get(f"/v1/searches/{search_id}/artifacts/{text}")
    assert answer.status_code < 500, answer.text
    assert SECRET not in answer.text
    assert b"SQLite" not in answer.content


@MANY
@given(NAMES, st.sampled_from(["", "/trials", "/pareto", "/events", "/artifacts", "/trials/1"]))
def test_no_id_of_a_search_leads_elsewhere(
    place: tuple[TestClient, str, Path], name: str, rest: str
) -> None:
    client, _, _ = place
    for text in (quote(name, safe=""), quote(name, safe="/%\\~")):
        answer = client.get(f"/v1/searches/{text}{rest}")
        assert answer.status_code < 500, answer.text
        assert SECRET not in answer.text


@MANY
@given(NAMES, NAMES, st.booleans())
def test_no_folder_of_a_data_set_leads_out(
    place: tuple[TestClient, str, Path], name: str, path: str, below: bool
) -> None:
    client, _, folder = place
    text = f"{folder}/root/{path}" if below else path
    answer = client.post("/v1/datasets", json={"name": name[:20] or "x", "path": text})
    assert answer.status_code < 500, answer.text
    if answer.status_code == 201:
        assert Path(answer.json()["path"]).is_relative_to(folder / "root")


@MANY
@given(st.one_of(NAMES, st.binary(max_size=30).map(lambda b: b.decode("latin-1"))))
def test_any_idempotency_key_is_taken_or_refused(
    place: tuple[TestClient, str, Path], key: str
) -> None:
    client, _, _ = place
    sent = key.encode("utf-8", "surrogatepass").replace(b"\n", b"").replace(b"\r", b"")
    headers = [(b"Idempotency-Key", sent), (b"Content-Type", b"application/json")]
    first = client.post("/v1/searches", content=b"{}", headers=headers)
    assert first.status_code in {201, 422}, first.text
    if first.status_code == 201:
        again = client.post("/v1/searches", content=b"{}", headers=headers)
        assert again.json() == first.json()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
FIELDS = st.sampled_from(["model", "data", "calibration", "budgets", "bits", "agent", "boards"])


@MANY
@given(st.dictionaries(FIELDS, VALUES, max_size=3))
def test_any_search_is_begun_or_refused(
    place: tuple[TestClient, str, Path], body: dict[str, object]
) -> None:
    client, search_id, _ = place
    for path in ("/v1/searches", f"/v1/searches/{search_id}/clone"):
        answer = client.post(
            path, content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code in {201, 404, 422}, answer.text


@pytest.mark.parametrize("field", ["model", "bits", "budgets", "episodes", "boards", "seed"])
def test_a_clone_without_what_every_search_has_is_refused(
    place: tuple[TestClient, str, Path], field: str
) -> None:
    client, search_id, _ = place
    answer = client.post(f"/v1/searches/{search_id}/clone", json={field: None})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@MANY
@given(NAMES)
def test_any_cursor_is_taken_or_refused(place: tuple[TestClient, str, Path], text: str) -> None:
    client, search_id, _ = place
    client.post(f"/v1/searches/{search_id}/cancel")
    answer = client.get(f"/v1/searches/{search_id}/events", params={"since": text})
    assert answer.status_code in {200, 422}


def test_nothing_was_written_beside_the_data(place: tuple[TestClient, str, Path]) -> None:
    _, _, folder = place
    assert {path.name for path in folder.iterdir()} == {"data", "root", "secret"}
    assert {path.name for path in (folder / "root").iterdir()} == {"file", "out"}
