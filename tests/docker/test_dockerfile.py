"""The Dockerfiles and what stands beside them, as far as they can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from pydantic_settings import BaseSettings

import api.settings
import device_agent.settings
from tests.docker.build import STAND_INS
from tests.docker.dockerfile import Image, read_instructions, read_stages, remember

ROOT = Path(__file__).parents[2]
SETTINGS: dict[str, type[BaseSettings]] = {
    "agent": device_agent.settings.Settings,
    "service": api.settings.Settings,
}
NAMES = sorted(SETTINGS)


def text_of(name: str) -> str:
    """A Dockerfile."""
    return (ROOT / "docker" / f"{name}.Dockerfile").read_text()


def image(name: str) -> Image:
    """What the last stage remembers."""
    found = Image(env={"PATH": "/usr/bin"})
    for instruction in read_stages(text_of(name))[-1].instructions:
        found = remember(found, instruction)
    return found


def settings_of(name: str) -> dict[str, str]:
    """Values by field of the settings."""
    prefix = f"HAQ_{name.upper()}_"
    env = image(name).env
    return {k.removeprefix(prefix).lower(): v for k, v in env.items() if k.startswith(prefix)}


def copied(name: str) -> set[str]:
    """Files and folders of the repository that go into an image."""
    words = [i.text.split() for i in read_instructions(text_of(name)) if i.word == "COPY"]
    return {source for line in words if not line[0].startswith("--") for source in line[:-1]}


def test_lines_that_continue_are_one_instruction() -> None:
    text = "# comment\nFROM a AS b\n\nRUN one \\\n    && two\n# more\nENV A=1 \\\n    B=$A\n"
    (stage,) = read_stages(text)
    assert (stage.image, stage.name) == ("a", "b")
    run, env = stage.instructions
    assert run.text == "one && two"
    assert remember(Image(env={"A": "0"}), env).env == {"A": "1", "B": "0"}


def test_arguments_have_a_default_and_stay_out_of_containers() -> None:
    (stage,) = read_stages("FROM a\nARG INDEX=https://a.example/b=c\n")
    (arg,) = stage.instructions
    assert remember(Image(), arg).args == {"INDEX": "https://a.example/b=c"}
    other = remember(Image({"INDEX": "mine", "UNKNOWN": "x"}), arg)
    assert (other.args, other.env) == ({"INDEX": "mine"}, {})


def test_instructions_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match="ONBUILD is not known"):
        list(read_instructions("ONBUILD RUN true\n"))


@pytest.mark.parametrize("name", NAMES)
def test_containers_are_not_root(name: str) -> None:
    assert image(name).user not in {"root", "0"}
    assert image(name).env["PATH"] == "/opt/haq/bin:/usr/bin"
    assert all(stage.image in STAND_INS for stage in read_stages(text_of(name)))


def test_containers_run_the_agent_and_the_service() -> None:
    agent, service = image("agent"), image("service")
    assert (agent.entrypoint, agent.command) == (("haq-agent",), ())
    assert (service.entrypoint, service.command) == (("haq",), ("serve",))
    assert agent.user != service.user


@pytest.mark.parametrize("name", NAMES)
def test_the_settings_are_its_own_and_lie_in_the_volume(name: str) -> None:
    settings = settings_of(name)
    assert set(settings) <= set(SETTINGS[name].model_fields)
    (volume,) = image(name).volumes
    assert settings["data_dir"] == volume
    assert settings["port"] == re.findall(r"^EXPOSE (\d+)$", text_of(name), re.M)[0]
    assert settings["host"] == "0.0.0.0"


def test_what_else_is_written_lies_in_the_volume() -> None:
    assert settings_of("agent")["keys_file"].startswith("/data/")
    assert image("service").env["HAQ_CACHE"].startswith("/data/")


@pytest.mark.parametrize("name", NAMES)
def test_the_health_check_is_told_what_it_asks(name: str) -> None:
    command, script, asked = image(name).healthcheck
    assert (command, asked) == ("python", name)
    assert f"COPY docker/healthcheck.py {script}\n" in text_of(name)


def test_what_is_copied_exists_and_is_let_through() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    all_copied = {path for name in NAMES for path in copied(name)}
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == all_copied
    assert all((ROOT / path).exists() for path in all_copied)


def test_torch_comes_first_in_the_versions_that_are_asked_for_after_it() -> None:
    """So that the second step does not fetch another one, for graphics cards."""
    (wanted,) = re.findall(r"'(torch[^']*)'", text_of("service"))
    project = (ROOT / "pyproject.toml").read_text()
    (ours,) = re.findall(r'^  "(torch[^"]*)",$', project, re.M)
    assert Requirement(wanted) == Requirement(ours)


def test_extras_of_the_service_exist() -> None:
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", text_of("service"))
    project = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", project, re.M) for extra in extras.split(","))
    assert set(extras.split(",")) == {"search", "postgresql"}
