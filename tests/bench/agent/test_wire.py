import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx2
import pytest

from bench.agent.wire import Wire

BODY = json.dumps({"answer": 1}).encode()


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_bodies_and_headers_are_counted_both_ways(url: str) -> None:
    wire = Wire()
    with httpx2.Client(transport=wire) as client:
        client.post(f"{url}/v1/x", content=b"x" * 1000)
    assert 1000 < wire.sent_bytes < 2000
    assert len(BODY) < wire.received_bytes < 1000
    assert wire.answers == {"/v1/x": {"answer": 1}}
