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

SCRIPT = Path(__file__).parents[2] / "docker" / "healthcheck.py"


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()


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


def check(port: int, **settings: str) -> tuple[int, str]:
    """Exit code and output of the script."""
    env = {"HAQ_AGENT_PORT": str(port), "HAQ_AGENT_HOST": "0.0.0.0", **settings}
    done = subprocess.run([sys.executable, SCRIPT], env=env, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost"])
def test_an_agent_that_answers_is_healthy(host: str) -> None:
    with serving(Healthy) as port:
        assert check(port, HAQ_AGENT_HOST=host) == (0, "")


def test_an_agent_behind_tls_is_healthy_whatever_its_certificate_names() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("board.example").configure_cert(context)
    with serving(Healthy, context) as port:
        assert check(port, HAQ_AGENT_TLS_CERT="/some/file.pem") == (0, "")
        assert check(port)[0] == 1


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "http://127.0.0.1:8100/healthz"),
        ({"HAQ_AGENT_HOST": "::", "HAQ_AGENT_PORT": "1"}, "http://[::1]:1/healthz"),
        (
            {"HAQ_AGENT_HOST": "fd00::7", "HAQ_AGENT_TLS_CERT": "x"},
            "https://[fd00::7]:8100/healthz",
        ),
        ({"HAQ_AGENT_TLS_CERT": ""}, "http://127.0.0.1:8100/healthz"),
    ],
)
def test_addresses(settings: dict[str, str], expected: str) -> None:
    assert runpy.run_path(str(SCRIPT))["url"](settings) == expected


def test_an_agent_that_refuses_is_not() -> None:
    with serving(Ill) as port:
        assert check(port) == (1, "HTTP Error 503: Service Unavailable\n")


def test_an_agent_that_is_not_there_is_not() -> None:
    with serving(Healthy) as port:
        pass
    status, text = check(port)
    assert status == 1
    assert "refused" in text
