"""A Ray cluster, for as long as it is needed."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from quant.errors import InputError, one_line

LOCAL = "local"
"""Address of a cluster that is started on this machine, and ends with the program."""
KNOCK_S = 5.0


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Be part of a cluster: `auto` finds one on this machine, `local` starts one, else HOST:PORT.

    Raises InputError where Ray is not installed or there is no cluster.
    """
    ray = import_ray()
    check_there(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    started = {"include_dashboard": False} if address == LOCAL else {}
    # Ray tells of lost machines on standard output, which belongs to the result.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        try:
            ray.init(address=address, **quiet, **started)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise absent(address, one_line(error)) from None
        try:
            yield
        finally:
            ray.shutdown()


def resources() -> dict[str, float]:
    """What the machines of the cluster offer together; of a lost one no more."""
    return dict(import_ray().cluster_resources())


def import_ray() -> Any:
    """Ray, which is not needed otherwise. Raises InputError where it is not installed."""
    try:
        import ray
    except ImportError:
        raise InputError("--ray needs Ray: pip install 'haq[ray]'") from None
    return ray


def check_there(address: str) -> None:
    """Raise InputError where nobody answers at HOST:PORT; Ray itself would try for minutes."""
    place = re.fullmatch(r"(?:ray://)?\[?([^\[\]]+)\]?:(\d{1,5})", address)
    if place is None:
        return
    try:
        socket.create_connection((place[1], int(place[2])), KNOCK_S).close()
    except (OSError, OverflowError) as error:
        raise absent(address, str(error)) from None


def absent(address: str, reason: str) -> InputError:
    """What to do where there is no cluster."""
    return InputError(
        f"no Ray cluster is found at '{address}': start one by `ray start --head`, or give "
        f"--ray {LOCAL} ({reason})"
    )
