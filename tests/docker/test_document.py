"""docs/device-agent.md says what is so: settings, routes, commands, errors and files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from device_agent.settings import PREFIX, Settings
from device_agent.web.problems import PROBLEM_BY_ERROR
from device_agent.web.service import create_app
from haq.cli._app import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "device-agent.md").read_text(encoding="utf-8")
UNIT = (ROOT / "docker" / "haq-agent.service").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"^```\n(.*?)^```", TEXT, re.M | re.S))
TEXT_TITLE = "From an empty SD card to the first measurement"
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}


def section(title: str) -> str:
    """Text below a heading."""
    return TEXT.partition(f"## {title}\n")[2].partition("\n## ")[0]


def command_lines() -> list[list[str]]:
    """Words of every `haq ...` line of the blocks."""
    lines = re.findall(r"^host\$\s+haq (.+)$", BLOCKS, re.M)
    return [shlex.split(line, comments=True) for line in lines]


def test_from_the_card_to_the_measurement_in_ten_lines() -> None:
    (block,) = re.findall(r"^```\n(.*?)^```", section(TEXT_TITLE), re.M | re.S)
    assert len(block.splitlines()) == 10


def settings_table() -> dict[str, str]:
    """Default, as written, by variable."""
    rows = [line.split("|") for line in section("Settings").splitlines() if "`HAQ_" in line]
    return {name: row[2].strip() for row in rows for name in re.findall(r"`(\w+)`", row[1])}


def written(name: str, value: object) -> str:
    """A default as the table writes it."""
    if name.endswith("_BYTES"):
        assert isinstance(value, int)
        return f"{value // 2**30} GiB" if value % 2**30 == 0 else f"{value // 2**20} MiB"
    text = f"{value:g}" if isinstance(value, float) else str(value).lower()
    return f"`{text}`" if name.endswith(("_HOST", "_PORT")) else text


def test_every_setting_is_in_the_table_with_its_default() -> None:
    defaults = {
        PREFIX + name.upper(): field.default for name, field in Settings.model_fields.items()
    }
    expected = {name: written(name, value) for name, value in defaults.items()}
    expected[f"{PREFIX}DATA_DIR"] = "`~/.cache/haq_agent`"
    assert settings_table() == expected


@pytest.mark.parametrize("text", [TEXT, UNIT])
def test_every_variable_is_a_setting(text: str) -> None:
    assert set(re.findall(r"\bHAQ_AGENT_[A-Z_]+", text)) <= SETTINGS


def test_every_route_is_in_the_table_and_no_other() -> None:
    named = set(re.findall(r"`[A-Z]+ (/[\w/{}.]+)`", section("API in short")))
    assert named == {*create_app(Settings()).openapi()["paths"], "/openapi.json"}


def test_every_kind_of_error_exists() -> None:
    table = section("When something is wrong")
    rows = [line.split("|")[1] for line in table.splitlines() if re.match(r"\| \d{3} ", line)]
    named = {
        (int(row.split()[0]), kind) for row in rows for kind in re.findall(r"`([a-z-]+)`", row)
    }
    assert named <= {(status, kind) for _, status, kind in PROBLEM_BY_ERROR}
    assert len(named) > 4


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_line_is_understood(words: list[str]) -> None:
    command = typer.main.get_command(app)
    while isinstance(command, typer.core.TyperGroup):
        command = command.commands[words.pop(0)]
    assert command.make_context("haq", words).params


def test_files_and_links_exist() -> None:
    for path in re.findall(r"\b(docker/[\w.-]+)", BLOCKS):
        assert (ROOT / path).is_file(), path
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("https://") or (ROOT / "docs" / target).exists(), target


def test_the_service_has_the_folder_and_the_program_of_the_document() -> None:
    assert "ExecStart=/opt/haq/bin/haq-agent\n" in UNIT
    assert "/opt/haq/bin/haq-agent key" in BLOCKS
    assert "Environment=HAQ_AGENT_KEYS_FILE=%S/haq-agent/keys\n" in UNIT
    assert "HAQ_AGENT_KEYS_FILE=/var/lib/haq-agent/keys" in BLOCKS
