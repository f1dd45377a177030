"""docker/healthcheck.py against servers that answer, refuse and are not there."""

from __future__ import annotations

import runpy
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import trustme
from pydantic_settings import BaseSettings

from api.settings import Settings as Service
from device_agent.settings import Settings as Agent

SCRIPT = Path(__file__).parents[2] / "docker" / "healthcheck.py"


class Healthy(BaseHTTPRequestHandler):
    path_of_health = "/healthz"

    def do_GET(self) -> None:
        self.send_response(200 if self.path == self.path_of_health else 404)
        self.end_headers()


class Ready(Healthy):
    path_of_health = "/readyz"


class Ill(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Port of a server."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def check(port: int, name: str = "agent", **settings: str) -> tuple[int, str]:
    """Exit code and output of the script."""
    prefix = f"HAQ_{name.upper()}_"
    env = {f"{prefix}PORT": str(port), f"{prefix}HOST": "0.0.0.0", **settings}
    command = [sys.executable, str(SCRIPT), name]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost"])
def test_an_agent_that_answers_is_healthy(host: str) -> None:
    with serving(Healthy) as port:
        assert check(port, HAQ_AGENT_HOST=host) == (0, "")


def test_a_service_whose_store_answers_is_healthy() -> None:
    with serving(Ready) as port:
        assert check(port, "service") == (0, "")
        assert check(port, "agent")[0] == 1


def test_an_agent_behind_tls_is_healthy_whatever_its_certificate_names() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("board.example").configure_cert(context)
    with serving(Healthy, context) as port:
        assert check(port, HAQ_AGENT_TLS_CERT="/some/file.pem") == (0, "")
        assert check(port)[0] == 1


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("agent", {}, "http://127.0.0.1:8100/healthz"),
        ("agent", {"HAQ_AGENT_HOST": "::", "HAQ_AGENT_PORT": "1"}, "http://[::1]:1/healthz"),
        (
            "agent",
            {"HAQ_AGENT_HOST": "fd00::7", "HAQ_AGENT_TLS_CERT": "x"},
            "https://[fd00::7]:8100/healthz",
        ),
        ("agent", {"HAQ_AGENT_TLS_CERT": ""}, "http://127.0.0.1:8100/healthz"),
        ("service", {"HAQ_AGENT_PORT": "1"}, "http://127.0.0.1:8200/readyz"),
        ("service", {"HAQ_SERVICE_PORT": "1"}, "http://127.0.0.1:1/readyz"),
    ],
)
def test_addresses(name: str, settings: dict[str, str], expected: str) -> None:
    assert runpy.run_path(str(SCRIPT))["url"](name, settings) == expected


@pytest.mark.parametrize(("name", "settings"), [("agent", Agent), ("service", Service)])
def test_ports_are_the_defaults_of_the_settings(name: str, settings: type[BaseSettings]) -> None:
    port, _ = runpy.run_path(str(SCRIPT))["ASKED"][name]
    assert port == str(settings.model_fields["port"].default)


def test_an_agent_that_refuses_is_not() -> None:
    with serving(Ill) as port:
        assert check(port) == (1, "HTTP Error 503: Service Unavailable\n")


def test_an_agent_that_is_not_there_is_not() -> None:
    with serving(Healthy) as port:
        pass
    status, text = check(port)
    assert status == 1
    assert "refused" in text
