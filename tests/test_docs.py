"""What the documents name exists, and what exists is named."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from haq.cli._app import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGES = ("haq", "env", "quant", "device_agent", "api")
COMMANDS = typer.main.get_command(app)


def resolve(cell: str) -> list[str]:
    """Paths of a cell of the table; a bare name lies in the folder of the path before it."""
    paths: list[str] = []
    for word in re.findall(r"`([^`]+)`", cell):
        folder = paths[-1].rpartition("/")[0] if paths and "/" not in word else ""
        paths.append(f"{folder}/{word}" if folder else word)
    return paths


def table() -> list[tuple[str, list[str], list[str]]]:
    """Rows of the table of concepts: concept, files, tests."""
    text = ARCHITECTURE.partition("## Concept, file, test")[2]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [(row[0].strip(), resolve(row[1]), resolve(row[2])) for row in rows[1:]]


def is_named(path: str, named: set[str]) -> bool:
    """Whether a file is named itself or lies in a named folder."""
    return any(path == name or (name.endswith("/") and path.startswith(name)) for name in named)


def sources() -> list[str]:
    """Files of the packages that hold more than a docstring and imports."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    full = [file for file in files if re.search(r"^(def|class) ", file.read_text(), re.M)]
    return [str(file.relative_to(ROOT)) for file in full]


def blocks(text: str) -> str:
    """Fenced blocks of a document."""
    return "\n".join(re.findall(r"^```\n(.*?)^```", text, re.M | re.S))


def command_lines() -> list[list[str]]:
    """Words of every `haq ...` in the blocks of the README, without prompts, server, comments."""
    found = re.findall(r"^(?:\w+\$ +)?(?:\w+=\S+ )*haq (.+)$", blocks(README), re.M)
    lines = [shlex.split(line, comments=True) for line in found]
    return [words[2:] if words[0] == "--server" else words for words in lines]


def find_command(words: list[str]) -> tuple[typer.core.TyperCommand, list[str]]:
    """The command that words begin with, and the rest of them."""
    command: object = COMMANDS
    while isinstance(command, typer.core.TyperGroup):
        command, words = command.commands[words[0]], words[1:]
    assert isinstance(command, typer.core.TyperCommand)
    return command, words


def test_the_table_has_a_file_and_a_test_in_every_row() -> None:
    assert len(table()) > 40
    assert all(files and tests for _, files, tests in table())


@pytest.mark.parametrize("row", table(), ids=lambda row: row[0])
def test_every_path_of_the_table_exists(row: tuple[str, list[str], list[str]]) -> None:
    _, files, tests = row
    for path in (*files, *tests):
        found = ROOT / path
        assert found.is_dir() if path.endswith("/") else found.is_file(), path


def test_every_source_file_is_named() -> None:
    named = {path for _, files, _ in table() for path in files}
    assert [path for path in sources() if not is_named(path, named)] == []


def test_every_test_file_is_named() -> None:
    named = {path for _, _, tests in table() for path in tests}
    tests = [str(f.relative_to(ROOT)) for f in (ROOT / "tests").rglob("test_*.py")]
    assert [path for path in tests if not is_named(path, named)] == []


def test_the_readme_shows_every_command() -> None:
    assert isinstance(COMMANDS, typer.core.TyperGroup)
    assert {words[0] for words in command_lines()} == set(COMMANDS.commands)


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_line_of_the_readme_is_understood(words: list[str]) -> None:
    command, arguments = find_command(words)
    # Parsing raises for an option, a choice or a number that the program does not know.
    context = command.make_context(words[0], arguments)
    assert context.params or not command.params


def test_every_option_that_a_document_names_exists() -> None:
    assert isinstance(COMMANDS, typer.core.TyperGroup)
    commands = list(COMMANDS.commands.values())
    groups = [c for c in commands if isinstance(c, typer.core.TyperGroup)]
    commands += [inner for group in groups for inner in group.commands.values()]
    known = {o for command in (COMMANDS, *commands) for p in command.params for o in p.opts}
    elsewhere = {"--host", "--port", "--strict"}  # of uvicorn and mypy
    for document in (README, ARCHITECTURE, CONTRIBUTING):
        assert set(re.findall(r"--[a-z][a-z-]+", document)) <= known | elsewhere | {"--help"}


@pytest.mark.parametrize("document", [README, ARCHITECTURE, CONTRIBUTING])
def test_links_within_the_repository_lead_somewhere(document: str) -> None:
    folder = ROOT / "docs" if document is ARCHITECTURE else ROOT
    for target in re.findall(r"\]\(([^)#]+)\)", document):
        assert target.startswith("https://") or (folder / target).exists(), target


def test_paths_of_the_contributors_guide_exist() -> None:
    for path in re.findall(r"`((?:haq|env|quant|device_agent|tests)/[\w/.]+)`", CONTRIBUTING):
        assert (ROOT / path).exists(), path
    for command in re.findall(r"`pytest ([^`]+)`", CONTRIBUTING):
        assert all((ROOT / path).exists() for path in command.split()), command


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake ([\w-]+)", README + CONTRIBUTING):
        assert re.search(rf"^{target}:", makefile, re.M), target
