"""docs/service.md says what is so: settings, routes, roles, numbers, commands, errors and files."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
import typer
from fastapi import FastAPI
from pydantic import BaseModel

from api.access.roles import needed_role
from api.app import create_app
from api.jobs.job import State
from api.metrics import PREFIX as NUMBERS
from api.metrics import STATES, Metrics
from api.problems import TABLE
from api.schema import NewBoard, NewDataset, SearchSpec
from api.settings import PREFIX, Settings
from haq.cli._app import app as program
from tests.docker.test_document import ROOT

TEXT = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
UNIT = (ROOT / "docker" / "haq-service.service").read_text(encoding="utf-8")
FENCED = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.M | re.S)
BLOCKS = "\n".join(block for language, block in FENCED if not language)
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
BODIES: dict[str, type[BaseModel]] = {
    "/v1/searches": SearchSpec,
    "/v1/datasets": NewDataset,
    "/v1/boards": NewBoard,
}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    return create_app(Settings(data_dir=tmp_path, workers=0))


def section(title: str) -> str:
    """Text below a heading."""
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """Cells of the tables below a heading, without their heads."""
    found = [line.strip("|").split("|") for line in section(title).splitlines() if "|" in line]
    return [
        [cell.strip() for cell in row] for row in found if row[0].startswith((" `", " 4", " 5"))
    ]


def command_lines() -> list[list[str]]:
    """Words of every `haq ...` of the blocks."""
    lines = re.findall(r"(?:^|[/(])haq ((?:keys|serve|worker|--server)\b[^)&\n]*)", BLOCKS, re.M)
    return [shlex.split(line) for line in lines]


def written(name: str, value: object) -> str:
    """A default as the table writes it."""
    if name.endswith("_BYTES"):
        assert isinstance(value, int)
        return f"{value // 2**30} GiB" if value % 2**30 == 0 else f"{value // 2**20} MiB"
    text = f"{value:g}" if isinstance(value, float) else str(value or "none")
    return f"`{text}`" if name.endswith(("_HOST", "_PORT")) else text


def test_every_setting_is_in_the_table_with_its_default() -> None:
    defaults = {PREFIX + name.upper(): f.default for name, f in Settings.model_fields.items()}
    expected = {name: written(name, value) for name, value in defaults.items()}
    expected[f"{PREFIX}DATA_DIR"] = "`~/.local/share/haq`"
    expected[f"{PREFIX}STORE"] = "a file in the data folder"
    table = {row[0].strip("`"): row[1] for row in rows("Settings")}
    assert table == expected


@pytest.mark.parametrize("text", [TEXT, UNIT])
def test_every_variable_is_a_setting(text: str) -> None:
    assert set(re.findall(r"\bHAQ_SERVICE_[A-Z_]*[A-Z]", text)) <= SETTINGS


def test_every_route_is_in_the_table_with_the_role_that_it_takes(app: FastAPI) -> None:
    table = {request.strip("`"): role for request, role, _ in rows("API in short")}
    assert table.pop("GET /healthz`, `GET /readyz") == ""
    paths = app.openapi()["paths"]
    routes = {(m.upper(), path) for path, methods in paths.items() for m in methods}
    routes -= {("GET", "/healthz"), ("GET", "/readyz")}
    assert table == {f"{method} {path}": needed_role(method, path) for method, path in routes}


def test_every_state_is_explained() -> None:
    named = {row[0].strip("`") for row in rows("Searches")}
    assert named == set(get_args(State)) == set(STATES)


def test_every_number_is_named() -> None:
    text = Metrics().to_text({}, 0).decode()
    found = set(re.findall(rf"^# TYPE ({NUMBERS}_\w+) (?:counter|histogram|gauge)$", text, re.M))
    named = {row[0].strip("`") for row in rows("Numbers and logs")}
    assert named == {name for name in found if not name.endswith("_created")}


def test_every_kind_of_error_exists() -> None:
    starts = [re.match(r"(\d{3}) `([a-z-]+)`$", row[0]) for row in rows("When something is wrong")]
    named = {(int(found[1]), found[2]) for found in starts if found}
    assert named <= {(status, kind) for _, status, kind in TABLE}
    assert len(named) > 3


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_line_is_understood(words: list[str]) -> None:
    command = typer.main.get_command(program)
    if words[0] == "--server":
        words = words[2:]
    while isinstance(command, typer.core.TyperGroup):
        command, words = command.commands[words[0]], words[1:]
    assert command.make_context("haq", words).command is command


def test_the_document_shows_every_command_of_the_service() -> None:
    assert {words[0] for words in command_lines()} == {"keys", "serve", "worker", "--server"}
    assert {words[1] for words in command_lines() if words[0] == "keys"} == {
        *("add", "list", "revoke")
    }


def test_every_body_is_understood() -> None:
    sent = re.findall(r"-d '(\{.*?\})' http://127\.0\.0\.1:8200(/v1/\w+)", BLOCKS)
    assert {path for _, path in sent} == set(BODIES)
    for body, path in sent:
        assert BODIES[path].model_validate(json.loads(body))


def test_files_and_links_exist() -> None:
    for path in re.findall(r"\b(docker/[\w-]+\.[\w.-]+)", BLOCKS):
        assert (ROOT / path).is_file(), path
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target


def test_the_unit_has_the_folder_and_the_program_of_the_document() -> None:
    assert "ExecStart=/opt/haq/bin/haq serve\n" in UNIT
    assert "Environment=HAQ_SERVICE_DATA_DIR=%S/haq-service\n" in UNIT
    assert "HAQ_SERVICE_DATA_DIR=/var/lib/haq-service /opt/haq/bin/haq keys add" in BLOCKS
    assert "EnvironmentFile=-/etc/default/haq-service\n" in UNIT
