"""`python -m tests.docker [amd64|arm64]`: builds docker/agent.Dockerfile in a root folder, runs it
read-only and without rights, and measures a small network in it.

What a Docker engine adds is not checked: layers, seccomp, control groups, published ports.
"""

from __future__ import annotations

import platform
import shutil
import socket
import sys
import time
from dataclasses import replace
from pathlib import Path
from subprocess import CalledProcessError, Popen, run
from typing import Any

import httpx2
import trustme

from tests.device_agent.conftest import register
from tests.device_agent.small_network import everywhere, small_layers
from tests.docker.build import build
from tests.docker.container import Container
from tests.roots.debian import MissingError
from tests.roots.emulation import MACHINES

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".docker"
START_S = 60.0


def main() -> int:
    """Build and check; 0 if all is well."""
    here = next(name for name, machine in MACHINES.items() if machine == platform.machine())
    arch = next(iter(sys.argv[1:]), here)
    try:
        container = make_container(arch)
    except (MissingError, CalledProcessError) as error:
        print(f"tests.docker: {error}", file=sys.stderr)
        return 2
    check_closed(container)
    key = container.output("key", "laptop")
    check_served(container, key)
    check_served(with_tls(container), key)
    print(f"docker/agent.Dockerfile is sound on {arch}")
    return 0


def make_container(arch: str) -> Container:
    """A container with a fresh volume, which has the owner of the folder in the image."""
    folder = FOLDER / arch
    root, image = build(REPOSITORY / "docker" / "agent.Dockerfile", REPOSITORY, folder, arch)
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    run(["cp", "-a", f"{root}{image.volumes[0]}", str(data)], check=True)
    return Container(root, image, arch, data, {"HAQ_AGENT_PORT": str(free_port())})


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def with_tls(container: Container) -> Container:
    """The same with a certificate for 127.0.0.1, in a folder of its own."""
    folder = FOLDER / "tls"
    folder.mkdir(exist_ok=True)
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    settings = {"HAQ_AGENT_TLS_CERT": "/tls/certificate.pem", "HAQ_AGENT_TLS_KEY": "/tls/key.pem"}
    return replace(container, env={**container.env, **settings}, binds={"/tls": folder})


def check_closed(container: Container) -> None:
    """Nothing but the volume and /tmp can be written, and nobody is root."""
    assert container.can("touch /data/x && rm /data/x && touch /tmp/x"), "/data must be writable"
    assert not container.can("touch /opt/haq/x"), "the root folder must be read-only"
    assert not container.can("test $(id -u) = 0"), "the user must not be root"
    assert container.can("grep -q '^CapBnd:.0*$' /proc/self/status"), "no capability may be left"
    assert not container.can("python -c 'import torch'"), "there must be no torch"
    print("closed: read-only root, no capability, no torch")


def check_served(container: Container, key: str) -> None:
    """The agent becomes healthy, refuses strangers, measures, and ends when asked to."""
    scheme = "https" if "HAQ_AGENT_TLS_CERT" in container.env else "http"
    address = f"{scheme}://127.0.0.1:{container.env['HAQ_AGENT_PORT']}"
    verify = str(FOLDER / "tls" / "authority.pem") if scheme == "https" else True
    with container.running() as process:
        wait_until_healthy(container, process)
        with httpx2.Client(base_url=address, verify=verify, timeout=120) as client:
            assert client.get("/v1/device").status_code == 401
            client.headers["Authorization"] = f"Bearer {key}"
            measure(client)
    assert process.returncode == 0, f"the agent ended with {process.returncode}"
    assert not container.is_healthy(), "the health check must notice that the agent is gone"
    print(f"served: {scheme}, healthy, measured, ended with 0")


def wait_until_healthy(container: Container, process: Popen[Any]) -> None:
    """Ask the health check until it is content."""
    deadline = time.monotonic() + START_S
    while not container.is_healthy():
        assert process.poll() is None, f"the agent ended with {process.returncode}"
        assert time.monotonic() < deadline, "the agent does not become healthy"
        time.sleep(0.5)


def measure(client: httpx2.Client) -> None:
    """Measure a small network at 8 bits."""
    device = client.get("/v1/device").json()
    network = register(client, small_layers())
    policies = [everywhere(8)]
    request = {"network": network, "policies": policies, "min_rounds": 4, "max_rounds": 8}
    answer = client.post("/v1/measure", json=request)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["latencies"]) == 1
    print(f"measured by ncnn {device['ncnn_version']} on {device['machine']}")


if __name__ == "__main__":
    sys.exit(main())
