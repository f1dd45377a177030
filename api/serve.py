"""The service as a server."""

from __future__ import annotations

import os
import signal
import sys

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.settings import Settings, load_settings
from device_agent.web.logs import configure_logs, log
from device_agent.web.loopback import is_loopback_host
from device_agent.web.serve import IN_A_NETWORK
from device_agent.web.start import end_well_on, uvicorn_option
from quant.errors import HaqError, InputError


def make_app_for_uvicorn() -> FastAPI:
    """The application of `uvicorn api:app`; where that would be unsafe, one line and exit."""
    try:
        app = create_app(load_settings())
        check_host(app, uvicorn_option("host", sys.argv, os.environ, "127.0.0.1"))
    except HaqError as error:
        print(f"haq: {error}", file=sys.stderr)
        sys.exit(2)
    configure_logs()
    end_well_on(signal.SIGTERM)
    return app


def serve(settings: Settings) -> None:
    """Serve until a signal ends it, by SystemExit 0.

    Raises InputError where the settings cannot be used, or would open the service to anyone.
    """
    app = create_app(settings)
    check_host(app, settings.host)
    configure_logs()
    if not is_loopback_host(settings.host):
        log.warning("no TLS here: let a proxy with TLS stand before it")
    end_well_on(signal.SIGTERM, signal.SIGINT)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        **IN_A_NETWORK,
    )
    uvicorn.Server(config).run()


def check_host(app: FastAPI, host: str) -> None:
    """Raise InputError for an address that others reach, unless they need a key."""
    if not is_loopback_host(host) and not app.state.service.keys.are_required:
        raise InputError(
            f"{host} can be reached from other machines: make a key by `haq keys add NAME --role "
            "admin`, set HAQ_SERVICE_ADMIN_KEY, or listen on 127.0.0.1"
        )
