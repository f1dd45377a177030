"""The client of the search service, and what it answers."""

from haq.client.answers import (
    Artifact,
    AuditLine,
    Board,
    Dataset,
    Event,
    Key,
    MadeKey,
    Model,
    Pareto,
    Search,
    Trial,
)
from haq.client.client import Client
from haq.client.failures import (
    ServerBusyError,
    ServerError,
    ServerInvalidError,
    ServerLostError,
    ServerRefusedError,
    ServerUnknownError,
)
from haq.client.spec import SearchSpec

__all__ = [
    "Artifact",
    "AuditLine",
    "Board",
    "Client",
    "Dataset",
    "Event",
    "Key",
    "MadeKey",
    "Model",
    "Pareto",
    "Search",
    "SearchSpec",
    "ServerBusyError",
    "ServerError",
    "ServerInvalidError",
    "ServerLostError",
    "ServerRefusedError",
    "ServerUnknownError",
    "Trial",
]
