from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from haq.crew import Crew, open_workers
from haq.parallel import LocalWorkers
from haq.parallel.pool import PoolWorkers
from quant.errors import InputError
from tests.haq.parallel.doubles import Arithmetic


def ignore(text: str) -> None:
    """Nobody reads it."""


@pytest.mark.parametrize(
    ("count", "kind"), [(None, LocalWorkers), (1, LocalWorkers), (2, PoolWorkers)]
)
def test_workers_of_this_machine(count: int | None, kind: type, tmp_path: Path) -> None:
    with open_workers(Crew(count), ignore) as start:
        assert isinstance(start(partial(Arithmetic, tmp_path)), kind)


def test_a_cluster_that_is_not_there_is_refused() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with (
        pytest.raises(InputError, match=r"127\.0\.0\.1:1"),
        open_workers(Crew(ray="127.0.0.1:1"), ignore),
    ):
        pass
