"""docker/agent.Dockerfile and what stands beside it, as far as they can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from device_agent.settings import Settings
from tests.docker.dockerfile import Image, read_instructions, read_stages, remember

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker" / "agent.Dockerfile").read_text()


def image() -> Image:
    """What the last stage remembers."""
    found = Image(env={"PATH": "/usr/bin"})
    for instruction in read_stages(TEXT)[-1].instructions:
        found = remember(found, instruction)
    return found


def copied() -> set[str]:
    """Files and folders of the repository that go into an image."""
    words = [i.text.split() for i in read_instructions(TEXT) if i.word == "COPY"]
    return {source for line in words if not line[0].startswith("--") for source in line[:-1]}


def test_lines_that_continue_are_one_instruction() -> None:
    text = "# comment\nFROM a AS b\n\nRUN one \\\n    && two\n# more\nENV A=1 \\\n    B=$A\n"
    (stage,) = read_stages(text)
    assert (stage.image, stage.name) == ("a", "b")
    run, env = stage.instructions
    assert run.text == "one && two"
    assert remember(Image(env={"A": "0"}), env).env == {"A": "1", "B": "0"}


def test_instructions_that_are_not_known_are_refused() -> None:
    with pytest.raises(ValueError, match="ONBUILD is not known"):
        list(read_instructions("ONBUILD RUN true\n"))


def test_containers_are_not_root_and_run_the_agent() -> None:
    assert image().user not in {"root", "0"}
    assert image().entrypoint == ("haq-agent",)
    assert image().env["PATH"] == "/opt/haq/bin:/usr/bin"


def test_the_settings_are_the_agents_own_and_lie_in_the_volume() -> None:
    settings = {name: text for name, text in image().env.items() if name.startswith("HAQ_AGENT_")}
    assert {name.removeprefix("HAQ_AGENT_").lower() for name in settings} <= set(
        Settings.model_fields
    )
    (volume,) = image().volumes
    assert settings["HAQ_AGENT_DATA_DIR"] == volume
    assert settings["HAQ_AGENT_KEYS_FILE"].startswith(f"{volume}/")


def test_what_is_copied_exists_and_is_let_through() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied()
    assert all((ROOT / path).exists() for path in copied())


def test_the_service_of_compose_can_change_nothing_but_its_volume() -> None:
    compose: Any = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text())
    agent = compose["services"]["agent"]
    assert agent["read_only"] is True
    assert agent["cap_drop"] == ["ALL"]
    assert agent["security_opt"] == ["no-new-privileges:true"]
    assert [v.split(":")[1] for v in agent["volumes"]] == list(image().volumes)
    assert [p.split(":")[1] for p in agent["ports"]] == [image().env["HAQ_AGENT_PORT"]]
    dockerfile = agent["build"]["dockerfile"]
    assert (ROOT / "docker" / agent["build"]["context"] / dockerfile).read_text() == TEXT
