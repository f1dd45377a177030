"""The service and a worker in containers of one image that share a volume: they search.

Their store is SQLite, or a database of the PostgreSQL server that HAQ_TEST_POSTGRESQL names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx2

from tests.conftest import SERVER, new_database
from tests.docker.container import Container
from tests.docker.made import check_closed, make_container, wait_until_healthy
from tests.docker.torch_index import torch_args

SEARCH_S = 300.0
SEARCH = {"data": "sample:0-99", "budgets": ["size=0.3x"], "episodes": 2}


def check_service(arch: str) -> None:
    """Build and check."""
    with torch_args() as args:
        container = make_container("service", arch, args)
    check_closed(container)
    assert container.can("python -c 'import torch; assert not torch.version.cuda'"), "torch: CPU's"
    with contextmanager(store_settings)() as settings:
        check_served(replace(container, env={**container.env, **settings}))


def store_settings() -> Iterator[dict[str, str]]:
    """The variables of a store: none is needed for the file in the volume."""
    if SERVER not in os.environ:
        yield {}
        return
    for url in new_database(os.environ[SERVER]):
        yield {"HAQ_SERVICE_STORE": url.replace("postgresql+psycopg", "postgresql")}


def check_served(container: Container) -> None:
    """The service does not start open, becomes healthy, has a worker search, and ends."""
    assert container.status() == 2, "without a key the service must not start"
    key = container.output("keys", "add", "laptop", "--role", "run")
    server = replace(container, env={**container.env, "HAQ_SERVICE_WORKERS": "0"})
    worker = replace(container, image=replace(container.image, command=("worker",)))
    with server.running() as process, worker.running() as working:
        wait_until_healthy(server, process)
        address = f"http://127.0.0.1:{container.env['HAQ_SERVICE_PORT']}"
        with httpx2.Client(base_url=address, timeout=30) as client:
            assert client.get("/v1/searches").status_code == 401
            assert client.get("/login").status_code == 200
            assert client.get("/static/haq.css").status_code == 200
            client.headers["Authorization"] = f"Bearer {key}"
            search(client)
    assert process.returncode == 0, f"the service ended with {process.returncode}"
    assert working.returncode == 0, f"the worker ended with {working.returncode}"
    assert not server.is_healthy(), "the health check must notice that the service is gone"
    print("served: healthy, searched, ended with 0")


def search(client: httpx2.Client) -> None:
    """Search, and fetch what was found."""
    asked = client.post("/v1/searches", json=SEARCH)
    assert asked.status_code == 201, asked.text
    address = f"/v1/searches/{asked.json()['id']}"
    found = wait_for_end(client, address)
    assert found["state"] == "done", found["error"]
    policy = client.get(f"{address}/artifacts/policy.json")
    assert len(policy.json()["layers"]) > 50
    print(f"searched: {found['trials']} trials, {policy.headers['repr-digest']}")


def wait_for_end(client: httpx2.Client, address: str) -> dict[str, Any]:
    """The search, once it has ended."""
    deadline = time.monotonic() + SEARCH_S
    while True:
        found: dict[str, Any] = client.get(address).json()
        if found["finished_at"] is not None:
            return found
        assert time.monotonic() < deadline, f"the search takes too long: {found['progress']}"
        time.sleep(1)
