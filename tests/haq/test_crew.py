from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from haq.crew import Crew, check_crew, open_workers
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


@pytest.mark.parametrize("crew", [Crew(2), Crew(ray="local")])
def test_a_gpu_is_fed_by_one_process(crew: Crew) -> None:
    check_crew(Crew(), "cuda")
    check_crew(Crew(1), "cuda")
    check_crew(crew, "cpu")
    with pytest.raises(InputError, match="leave out --workers and --ray"):
        check_crew(crew, "cuda")


def test_a_cluster_that_is_not_there_is_refused() -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    with (
        pytest.raises(InputError, match=r"127\.0\.0\.1:1"),
        open_workers(Crew(ray="127.0.0.1:1"), ignore),
    ):
        pass
