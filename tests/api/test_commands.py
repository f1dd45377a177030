from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from api.access.keys import Keys
from api.commands import register
from api.settings import PREFIX, Settings
from quant.errors import HaqError
from tests.api.databases import database_at


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{PREFIX}DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv(f"{PREFIX}ADMIN_KEY", raising=False)


def run(*words: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, words)


def test_a_key_is_printed_this_once_and_opens(tmp_path: Path) -> None:
    made = run("keys", "add", "anna", "--role", "run", "--per-minute", "5")
    secret = made.output.strip()
    with database_at(Settings(data_dir=tmp_path / "data").store_url) as database:
        found = Keys(database, None).find(secret.encode())
    assert found is not None
    assert (found.name, found.role, found.per_minute, found.max_searches) == (
        "anna",
        "run",
        5,
        None,
    )
    listed = run("keys", "list")
    assert listed.output == "anna  run\n"


def test_a_revoked_key_is_listed_no_more() -> None:
    run("keys", "add", "anna", "--role", "read")
    assert run("keys", "revoke", "anna").exit_code == 0
    assert run("keys", "list").output == ""


@pytest.mark.parametrize(
    "words",
    [("revoke", "anna"), ("add", "operator", "--role", "admin"), ("add", "a b", "--role", "read")],
)
def test_errors_are_the_programs(words: tuple[str, ...]) -> None:
    assert isinstance(run("keys", *words).exception, HaqError)


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "add", "anna"),
        ("keys", "add", "anna", "--role", "king"),
        ("keys", "add", "anna", "--role", "run", "--per-minute", "0"),
        ("serve", "--workers", "-1"),
    ],
)
def test_what_is_typed_wrongly_is_refused(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


def test_a_service_that_all_could_reach_is_not_started_without_a_key() -> None:
    error = run("serve", "--host", "0.0.0.0", "--port", "0").exception
    assert isinstance(error, HaqError) and "haq keys add" in str(error)


def test_what_is_typed_goes_before_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[Settings] = []
    monkeypatch.setattr("api.serve.serve", served.append)
    monkeypatch.setenv(f"{PREFIX}PORT", "1000")
    monkeypatch.setenv(f"{PREFIX}WORKERS", "7")
    run("serve", "--port", "2000")
    assert (served[0].port, served[0].workers, served[0].host) == (2000, 7, "127.0.0.1")


def test_the_program_has_them() -> None:
    result = run("--help")
    assert all(name in result.output for name in ("serve", "worker", "keys"))
