"""haq: layer-by-layer precision search, measured on the board that will run the network.

`haq.Client` is the client of the service, loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haq.client import Client

__version__ = "0.1.0"
__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> type[Client]:
    """The client; whoever only wants the version or a command pays nothing for it."""
    if name != "Client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from haq.client import Client

    return Client
