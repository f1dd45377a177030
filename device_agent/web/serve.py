"""The agent as a server: uvicorn, set up to stand in a network."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

import uvicorn

from device_agent.settings import Settings
from device_agent.web.connection import ImpatientProtocol
from device_agent.web.logs import configure_logs, log
from device_agent.web.loopback import is_loopback_host
from device_agent.web.service import create_app
from device_agent.web.start import check_host, end_well_on
from device_agent.web.tls import server_context

MORE_CONNECTIONS = 64
"""Connections beside those of the clients that wait for the board."""
KEEP_ALIVE_S = 20
"""Longer than clients keep idle connections (httpx: 5 s), so that it is they who close them."""
SHUTDOWN_S = 5
MAX_HEAD_BYTES = 16 * 1024
IN_A_NETWORK: Mapping[str, Any] = {
    "http": ImpatientProtocol,
    "ws": "none",
    "log_config": None,
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "timeout_keep_alive": KEEP_ALIVE_S,
    "timeout_graceful_shutdown": SHUTDOWN_S,
    "h11_max_incomplete_event_size": MAX_HEAD_BYTES,
}
"""Options of uvicorn for a server to which anybody may talk."""


def serve(settings: Settings) -> None:
    """Serve until a signal ends it, by SystemExit 0.

    Raises InputError where the settings cannot be used, or would open the agent to anyone.
    """
    check_host(settings, settings.host)
    config = make_config(settings)
    configure_logs()
    if settings.tls_cert is None and not is_loopback_host(settings.host):
        log.warning("no TLS: keys and networks can be read by others on the way")
    end_well_on(signal.SIGTERM, signal.SIGINT)
    uvicorn.Server(config).run()


def make_config(settings: Settings) -> uvicorn.Config:
    """Settings of uvicorn. Raises InputError for certificates or keys that cannot be used."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        limit_concurrency=settings.max_waiting + MORE_CONNECTIONS,
        **IN_A_NETWORK,
    )
    config.load()
    if settings.tls_cert is not None and settings.tls_key is not None:
        config.ssl = server_context(settings.tls_cert, settings.tls_key)
    return config
