"""What every kind of workers does: the same as an evaluator in process, to the bit."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from haq.parallel import LocalWorkers, Make, Task, Workers
from haq.parallel.pool import PoolWorkers
from quant.errors import PolicyError, WorkerError
from quant.evaluate import Seen
from quant.policy import uniform
from tests.haq.parallel.doubles import (
    ALWAYS_FATAL,
    FATAL,
    IMAGES,
    REFUSED,
    Arithmetic,
    small_maker,
)
from tests.haq.search.doubles import tied
from tests.haq.subjects import small_subject

Start = Callable[[Make], Workers]
NAMES = small_subject().network.graph.layer_names


def in_ray(make: Make) -> Workers:
    from haq.parallel.ray_workers import RayWorkers

    return RayWorkers(make)


STARTS: dict[str, Start] = {
    "local": LocalWorkers,
    "pool": lambda make: PoolWorkers(make, 2),
    "ray": in_ray,
}


@pytest.fixture(scope="module", params=list(STARTS))
def start(request: pytest.FixtureRequest) -> Start:
    """Starts workers of a kind, two where there can be several."""
    if request.param == "ray":
        request.getfixturevalue("two_nodes")
    return STARTS[request.param]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, start: Start) -> Path:
    return tmp_path_factory.mktemp("folder")


@pytest.fixture(scope="module")
def workers(start: Start, folder: Path) -> Iterator[Workers]:
    """Workers of a kind that share one evaluator by formula."""
    with closing(start(partial(Arithmetic, folder, seconds=0.02))) as found:
        yield found


@pytest.fixture
def alone(tmp_path: Path) -> Arithmetic:
    """The same evaluator by itself."""
    return Arithmetic(tmp_path)


elsewhere = pytest.mark.parametrize("start", ["pool", "ray"], indirect=True, scope="module")


def tasks_of(count: int) -> list[Task]:
    """Of many lengths."""
    rng = np.random.default_rng(1)
    return [
        (tied(5 + index % 4, 5 + index // 4), rng.permutation(IMAGES)[: 1 + 31 * index % IMAGES])
        for index in range(count)
    ]


def same(some: Sequence[Seen], others: Sequence[Seen]) -> bool:
    return len(some) == len(others) and all(
        all(np.array_equal(getattr(one, of), getattr(other, of)) for of in ("kl", "right", "same"))
        for one, other in zip(some, others, strict=True)
    )


@pytest.mark.parametrize("own16", [True, False], ids=["ncnn", "torch"])
def test_a_network_answers_the_same_to_the_bit_and_in_order(own16: bool, start: Start) -> None:
    make = small_maker(own16)
    rows = np.random.default_rng(0).permutation(120)
    widths = [uniform(NAMES, bits, bits) for bits in (8, 16, 32)]
    tasks = [(policy, some) for some in (rows[:7], rows[7:]) for policy in widths]
    alone = make()
    with closing(start(make)) as workers:
        assert np.array_equal(workers.float_logits, alone.float_logits)
        assert same(list(workers.see(tasks)), [alone.see(*task) for task in tasks])


def test_many_tasks_twice(workers: Workers, alone: Arithmetic) -> None:
    expected = [alone.see(*task) for task in tasks_of(16)]
    assert list(workers.see([])) == []
    for _ in range(2):
        assert same(list(workers.see(tasks_of(16))), expected)


def test_an_error_passes_through_behind_the_answers_before_it(workers: Workers) -> None:
    (task,) = tasks_of(1)
    answers = workers.see([task, (REFUSED, np.arange(3)), task])
    assert len(next(answers)) == len(task[1])
    with pytest.raises(PolicyError, match=r"^these bits are refused$"):
        next(answers)
    assert len(list(workers.see([task]))) == 1


def test_answers_that_nobody_waits_for_are_dropped(workers: Workers, alone: Arithmetic) -> None:
    next(workers.see(tasks_of(8)))
    others = tasks_of(12)[8:]
    assert same(list(workers.see(others)), [alone.see(*task) for task in others])


@elsewhere
def test_the_work_is_shared(workers: Workers, folder: Path) -> None:
    list(workers.see(tasks_of(12)))
    assert len(list(folder.glob("*.log"))) >= 2
    assert not (folder / f"{os.getpid()}.log").exists()


@elsewhere
def test_what_a_worker_had_that_was_killed_is_done_again(
    workers: Workers, folder: Path, alone: Arithmetic
) -> None:
    tasks = [*tasks_of(5), (FATAL, np.arange(IMAGES)), *tasks_of(5)]
    found = list(workers.see(tasks))
    assert (folder / "asked").is_file()
    (alone.folder / "asked").touch()
    assert same(found, [alone.see(*task) for task in tasks])


@elsewhere
def test_work_that_ends_every_worker_is_given_up(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pool", "ray_workers"):
        monkeypatch.setattr(f"haq.parallel.{module}.LIVES", 2)
    with pytest.raises(
        WorkerError, match=r"^[^\n]*\b2 [^\n]*, perhaps for lack of memory: [^\n]*$"
    ):
        list(workers.see([(ALWAYS_FATAL, np.arange(3))]))
    assert len(list(workers.see(tasks_of(3)))) == 3
