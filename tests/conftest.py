from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

from haq.threads import THREADS

# Before any test imports numpy.
os.environ.update({**THREADS, **os.environ})

# Hundreds of processes are started here: each would compile every source anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says more of what else the machine does.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

# A shell starts what runs in its background with Ctrl-C ignored; all children would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SERVER = "HAQ_TEST_POSTGRESQL"
"""Holds the URL of a PostgreSQL server on which databases may be made."""


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new and empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
    elif SERVER in os.environ:
        yield from new_database(os.environ[SERVER])
    else:
        pytest.skip(f"no PostgreSQL: {SERVER} is not set")


def new_database(server: str) -> Iterator[str]:
    """Its URL; it is removed in the end."""
    # Boards, where the agent's tests run, have no store.
    from sqlalchemy import create_engine, make_url, text

    url, name = make_url(server).set(drivername="postgresql+psycopg"), f"haq_{uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
