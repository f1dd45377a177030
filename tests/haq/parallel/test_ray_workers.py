from __future__ import annotations

import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.errors import WorkerError
from tests.haq.parallel.conftest import added
from tests.haq.parallel.doubles import IMAGES, Arithmetic, Deviating, make_once
from tests.haq.search.doubles import tied

pytest.importorskip("ray", reason="Ray is not installed")

from haq.parallel.ray_workers import RayWorkers

ROWS = np.arange(IMAGES)


def test_a_machine_that_computes_otherwise_is_left_out(two_nodes: None, tmp_path: Path) -> None:
    told: list[str] = []
    with (
        closing(RayWorkers(partial(Deviating, tmp_path), 2, told.append)) as workers,
        pytest.raises(WorkerError, match="computes other float logits than this machine"),
    ):
        list(workers.see([(tied(8), ROWS)]))
    assert len([line for line in told if "other float logits" in line]) == 1


def test_workers_that_cannot_begin_say_why(two_nodes: None, tmp_path: Path) -> None:
    with (
        closing(RayWorkers(partial(make_once, tmp_path), 1)) as workers,
        pytest.raises(WorkerError, match=r"nobody on the Ray cluster evaluates: .*no such file"),
    ):
        list(workers.see([(tied(8), ROWS)]))


def test_a_cluster_without_a_free_core_is_waited_for_but_not_for_ever(
    two_nodes: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    make = partial(Arithmetic, tmp_path, seconds=0.2)
    with closing(RayWorkers(make)) as first:
        while len(logs(tmp_path)) < 2:
            list(first.see([(tied(8), ROWS)] * 2))
        monkeypatch.setattr("haq.parallel.ray_workers.LOOK_EVERY_S", 0.2)
        monkeypatch.setattr("haq.parallel.ray_workers.PATIENCE_S", 1.0)
        with (
            closing(RayWorkers(make, 1, told.append)) as second,
            pytest.raises(WorkerError, match="waiting for the Ray cluster to have a free core"),
        ):
            list(second.see([(tied(8), ROWS)]))
    assert told == ["waiting for the Ray cluster to have a free core"]


def test_work_goes_on_without_a_lost_machine_and_with_one_that_joins(
    two_nodes: None, begun_cluster: Any, tmp_path: Path
) -> None:
    told: list[str] = []
    make = partial(Arithmetic, tmp_path, seconds=0.1)
    with (
        added(begun_cluster) as third,
        closing(RayWorkers(make, 3, told.append)) as workers,
        ExitStack() as later,
    ):
        while len(logs(tmp_path)) < 3:
            list(workers.see([(tied(8), ROWS)]))
        answers = workers.see([(tied(5 + i // 4, 5 + i % 4), ROWS) for i in range(12)])
        next(answers)
        begun_cluster.remove_node(third, allow_graceful=False)
        assert len(list(answers)) == 11
        # On a busy machine it is said before that workers are slow to start.
        assert told[-1] == "a worker of the Ray cluster is lost: its work is done again"
        assert sum("is lost" in text for text in told) == 1
        later.enter_context(added(begun_cluster))
        give_up = time.monotonic() + 60
        while len(logs(tmp_path)) < 4:
            assert time.monotonic() < give_up, "nobody works on the machine that has joined"
            list(workers.see([(tied(8), ROWS)]))


def logs(folder: Path) -> list[Path]:
    """One of every process that has evaluated."""
    return list(folder.glob("*.log"))
