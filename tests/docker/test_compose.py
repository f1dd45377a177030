"""docker/compose.yaml: what its containers may do, and what they are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import PREFIX, load_settings
from tests.docker.test_dockerfile import ROOT, image

FILE = ROOT / "docker" / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {"service": "service", "worker": "service", "agent": "agent"}
"""Our images."""


def expand(text: str, given: dict[str, str]) -> str:
    """`${NAME-default}` as compose puts variables in their place."""
    return re.sub(r"\$\{(\w+)-([^}]*)\}", lambda found: given.get(found[1], found[2]), text)


def environment(name: str, **given: str) -> dict[str, str]:
    """What the processes of a service see."""
    found = SERVICES[name].get("environment", {})
    return {variable: expand(str(value), given) for variable, value in found.items()}


def test_there_are_a_service_a_worker_a_database_and_an_agent() -> None:
    assert set(SERVICES) == {"service", "worker", "database", "agent"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_containers_can_change_nothing_but_their_volume(name: str) -> None:
    found = SERVICES[name]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert found["pids_limit"] > 0
    assert "/tmp" in found["tmpfs"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & set(found)
    named, *others = [volume.rsplit(":", 2) for volume in found["volumes"]]
    assert named[0] in COMPOSE["volumes"]
    assert all(other[-1] == "ro" for other in others)


@pytest.mark.parametrize("name", sorted(OURS))
def test_volume_port_and_dockerfile_are_those_of_the_image(name: str) -> None:
    found, ours = SERVICES[name], image(OURS[name])
    assert [found["volumes"][0].split(":")[1]] == list(ours.volumes)
    port = ours.env[f"HAQ_{OURS[name].upper()}_PORT"]
    assert all(p.split(":")[-2:] == [port, port] for p in found.get("ports", []))
    assert found["image"] == f"haq-{OURS[name]}"
    build = found["build"]
    dockerfile = ROOT / "docker" / build["context"] / build["dockerfile"]
    assert dockerfile.resolve() == ROOT / "docker" / f"{OURS[name]}.Dockerfile"


def test_only_a_proxy_of_this_machine_reaches_the_service() -> None:
    assert [port.split(":")[0] for port in SERVICES["service"]["ports"]] == ["127.0.0.1"]
    assert "ports" not in SERVICES["database"]
    assert "ports" not in SERVICES["worker"]


def test_the_worker_shares_all_but_the_port() -> None:
    service, worker = SERVICES["service"], SERVICES["worker"]
    for shared in ("image", "environment", "volumes", "depends_on"):
        assert worker[shared] == service[shared]
    assert worker["command"] == ["worker"]
    assert worker["healthcheck"] == {"disable": True}


def test_the_password_has_no_default_and_the_agent_needs_none() -> None:
    text = FILE.read_text()
    assert set(re.findall(r"\$\{HAQ_DATABASE_PASSWORD[^}]*\}", text)) == {
        "${HAQ_DATABASE_PASSWORD-}"
    }
    # An empty one is refused by the database itself; `:?` would refuse the agent's commands, too.
    assert ":?" not in text
    assert environment("database", HAQ_DATABASE_PASSWORD="x")["POSTGRES_PASSWORD"] == "x"
    assert environment("service", HAQ_DATABASE_PASSWORD="x")["PGPASSWORD"] == "x"


def test_the_service_takes_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    boards = '["pi5.lan:8100"]'
    found = {**image("service").env, **environment("service", HAQ_BOARD_HOSTS=boards)}
    for variable, value in found.items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    known = {PREFIX + name.upper() for name in type(settings).model_fields}
    assert {variable for variable in found if variable.startswith(PREFIX)} <= known
    assert settings.data_roots == (Path("/images"),)
    assert settings.board_hosts == ("pi5.lan:8100",)
    assert settings.workers == 0
    user, host = re.findall(r"//(\w+)@(\w+)/", settings.store_url)[0]
    assert host in SERVICES
    assert user == environment("database")["POSTGRES_USER"]


def test_no_board_may_be_added_unless_one_is_named() -> None:
    assert environment("service")["HAQ_SERVICE_BOARD_HOSTS"] == "[]"


def test_every_variable_is_explained_above() -> None:
    head = FILE.read_text().partition("\nname:")[0]
    used = set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    assert used == set(re.findall(r"^#   (HAQ_\w+) ", head, re.M))
