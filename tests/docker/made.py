"""Containers of our images, and what is true of each."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import Popen, run
from typing import Any

from tests.docker.build import build
from tests.docker.container import Container

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".docker"
START_S = 60.0


def make_container(name: str, arch: str, args: Mapping[str, str]) -> Container:
    """One with a fresh volume, which has the owner of the folder in the image."""
    folder = FOLDER / arch
    dockerfile = REPOSITORY / "docker" / f"{name}.Dockerfile"
    root, image = build(dockerfile, REPOSITORY, folder, arch, args)
    data = folder / f"{name}-data"
    shutil.rmtree(data, ignore_errors=True)
    run(["cp", "-a", f"{root}{image.volumes[0]}", str(data)], check=True)
    return Container(root, image, arch, data, {f"HAQ_{name.upper()}_PORT": str(free_port())})


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def check_closed(container: Container) -> None:
    """Nothing but the volume and /tmp can be written, and nobody is root."""
    assert container.can("touch /data/x && rm /data/x && touch /tmp/x"), "/data must be writable"
    assert not container.can("touch /opt/haq/x"), "the root folder must be read-only"
    assert not container.can("test $(id -u) = 0"), "the user must not be root"
    assert container.can("grep -q '^CapBnd:.0*$' /proc/self/status"), "no capability may be left"
    print("closed: read-only root, no capability")


def wait_until_healthy(container: Container, process: Popen[Any]) -> None:
    """Ask the health check until it is content."""
    deadline = time.monotonic() + START_S
    while not container.is_healthy():
        assert process.poll() is None, f"the container ended with {process.returncode}"
        assert time.monotonic() < deadline, "the container does not become healthy"
        time.sleep(0.5)
