"""Before the agent starts: what it must not do, told in one line, and how it ends when asked to."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import FrameType
from typing import NoReturn

from fastapi import FastAPI

from device_agent.settings import Settings, load_settings
from device_agent.web.logs import configure_logs
from device_agent.web.loopback import is_loopback_host
from device_agent.web.service import create_app
from quant.errors import InputError


def make_app_for_uvicorn() -> FastAPI:
    """The application of `uvicorn device_agent:app`; where that would be unsafe, one line and exit.

    An application is not told where its server will listen, but it is made by the process that was
    given uvicorn's options.
    """
    try:
        settings = load_settings()
        check_host(settings, uvicorn_option("host", sys.argv, os.environ, "127.0.0.1"))
        check_served_with_tls(settings, sys.argv, os.environ)
        app = create_app(settings)
    except InputError as error:
        leave(str(error))
    configure_logs()
    end_well_on(signal.SIGTERM)
    return app


def check_host(settings: Settings, host: str) -> None:
    """Raise InputError for an address that others reach, unless they need a key."""
    has_keys = settings.key is not None or settings.keys_file is not None
    if not has_keys and not is_loopback_host(host):
        raise InputError(
            f"{host} can be reached from other machines: set HAQ_AGENT_KEY or HAQ_AGENT_KEYS_FILE, "
            "or listen on 127.0.0.1"
        )


def check_served_with_tls(settings: Settings, argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Raise InputError where TLS was set, but uvicorn was not told: it would serve plain http."""
    if settings.tls_cert is not None and not uvicorn_option("ssl-certfile", argv, env):
        raise InputError(
            "HAQ_AGENT_TLS_CERT is only for haq-agent: start that, or give uvicorn "
            "--ssl-certfile and --ssl-keyfile"
        )


def uvicorn_option(
    name: str, argv: Sequence[str], env: Mapping[str, str], default: str = ""
) -> str:
    """What uvicorn takes an option to be: the last one of the command line, else UVICORN_NAME."""
    found = env.get(f"UVICORN_{name.upper().replace('-', '_')}") or default
    for word, following in pairwise([*argv, ""]):
        if word == f"--{name}":
            found = following
        elif word.startswith(f"--{name}="):
            found = word.partition("=")[2]
    return found


def leave(message: str) -> NoReturn:
    """Print one line to standard error and leave with 2."""
    print(f"haq-agent: {message}", file=sys.stderr)
    sys.exit(2)


def end_well_on(*signals: signal.Signals) -> None:
    """Make these signals an ordinary end, with exit code 0; only the main thread may.

    A server that was stopped by a signal raises it once more when everything is closed.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    for number in signals:
        signal.signal(number, end)
