from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from haq.client import Client
from tests.haq.client.served import Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "images" / "photos").mkdir(parents=True)
    with serving(tmp_path, data_roots=(tmp_path / "images",), board_hosts=("127.0.0.1",)) as found:
        yield found


@pytest.fixture
def client(served: Served) -> Iterator[Client]:
    with served.client() as found:
        yield found
