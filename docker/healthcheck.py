"""Whether the agent of this container answers: ends with 0, else with 1 and a line of why."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Mapping
from urllib.request import urlopen

EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
TIMEOUT_S = 4.0


def main() -> int:
    """Ask /healthz once."""
    # The certificate names the board, not the loopback address; nothing secret is sent or received.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urlopen(url(os.environ), timeout=TIMEOUT_S, context=context):
            return 0
    except OSError as error:
        print(error)
        return 1


def url(environ: Mapping[str, str]) -> str:
    """Address of /healthz under the agent's settings."""
    scheme = "https" if environ.get("HAQ_AGENT_TLS_CERT") else "http"
    given = environ.get("HAQ_AGENT_HOST", "127.0.0.1")
    host = EVERY_ADDRESS.get(given, f"[{given}]" if ":" in given else given)
    return f"{scheme}://{host}:{environ.get('HAQ_AGENT_PORT', '8100')}/healthz"


if __name__ == "__main__":
    sys.exit(main())
