"""The device agent in its container: it measures a small network."""

from __future__ import annotations

from dataclasses import replace

import httpx2
import trustme

from tests.device_agent.conftest import register
from tests.device_agent.small_network import everywhere, small_layers
from tests.docker.container import Container
from tests.docker.made import FOLDER, check_closed, make_container, wait_until_healthy


def check_agent(arch: str) -> None:
    """Build and check."""
    container = make_container("agent", arch, {})
    check_closed(container)
    assert not container.can("python -c 'import torch'"), "there must be no torch"
    key = container.output("key", "laptop")
    check_served(container, key)
    check_served(with_tls(container), key)


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
