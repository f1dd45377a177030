"""Whether the agent or the service of this container answers, as the one argument names it: ends
with 0, else with 1 and a line of why."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Mapping
from urllib.request import urlopen

ASKED = {"agent": ("8100", "/healthz"), "service": ("8200", "/readyz")}
"""Port where none is set, and what is asked for."""
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
TIMEOUT_S = 4.0


def main() -> int:
    """Ask once."""
    # The certificate names the board, not the loopback address; nothing secret is sent or received.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urlopen(url(sys.argv[1], os.environ), timeout=TIMEOUT_S, context=context):
            return 0
    except OSError as error:
        print(error)
        return 1


def url(name: str, environ: Mapping[str, str]) -> str:
    """The address to ask under the settings of the agent or the service."""
    prefix, (port, path) = f"HAQ_{name.upper()}_", ASKED[name]
    scheme = "https" if environ.get(f"{prefix}TLS_CERT") else "http"
    given = environ.get(f"{prefix}HOST", "127.0.0.1")
    host = EVERY_ADDRESS.get(given, f"[{given}]" if ":" in given else given)
    return f"{scheme}://{host}:{environ.get(f'{prefix}PORT', port)}{path}"


if __name__ == "__main__":
    sys.exit(main())
