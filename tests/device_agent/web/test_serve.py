from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from pydantic import SecretStr

from device_agent.settings import Settings
from device_agent.web.connection import ImpatientProtocol
from device_agent.web.serve import MORE_CONNECTIONS, make_config
from tests.device_agent.process_table import wait_for
from tests.device_agent.server import running, talk


def test_uvicorn_is_set_up_for_a_network(tmp_path: Path) -> None:
    config = make_config(Settings(key=SecretStr("x"), data_dir=tmp_path, max_waiting=5))
    assert config.http_protocol_class is ImpatientProtocol
    assert config.ws_protocol_class is None
    assert config.limit_concurrency == 5 + MORE_CONNECTIONS
    assert config.timeout_graceful_shutdown is not None
    assert config.ssl is None
    assert not config.proxy_headers


def test_nobody_is_believed_to_be_somebody_else(tmp_path: Path) -> None:
    claims = b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"
    with running(tmp_path) as server:
        server.talk(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + claims + b"\r\n")
        wait_for(lambda: '"client": "127.0.0.1"' in server.log.read_text())


def test_more_connections_than_the_limit_are_answered_503(tmp_path: Path) -> None:
    with running(tmp_path, MAX_WAITING="1") as server, ExitStack() as open_ones:
        for _ in range(MORE_CONNECTIONS + 1):
            address = ("127.0.0.1", server.port)
            open_ones.enter_context(socket.create_connection(address, 20))
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert talk(server.port, request).startswith(b"HTTP/1.1 503 ")
        open_ones.close()
