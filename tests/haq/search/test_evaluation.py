from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from haq.evaluators import PolicyEvaluator, make_evaluator
from haq.progress import Silent
from haq.search.request import SearchRequest
from haq.search.run import run_search
from haq.store import RunFolder
from tests.haq.search.runs import same_run, small_request
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import found


@pytest.fixture(scope="module")
def request_(tmp_path_factory: pytest.TempPathFactory) -> SearchRequest:
    """Ten images to search on, and eight to test on."""
    return small_request(tmp_path_factory.mktemp("inputs"), episodes=1)


def search(request: SearchRequest, path: Path, store: str | None = None) -> Any:
    folder = RunFolder(path, "mbv2")
    return run_search(request, folder, SimulatedBoard(), Silent(), store_url=store)


def on_cpu(*given: Any, **more: Any) -> PolicyEvaluator:
    """An evaluator as asked for, but on the CPU."""
    *others, _ = given
    return make_evaluator(*others, **more)


def test_a_gpu_scores_episodes_and_the_result_is_of_the_cpu(
    request_: SearchRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[int, str]] = []

    def make(*given: Any, **more: Any) -> PolicyEvaluator:
        made.append((len(given[1]), given[-1]))
        return on_cpu(*given, **more)

    monkeypatch.setattr("haq.search.evaluation.make_evaluator", make)
    search(replace(request_, device="cuda"), tmp_path / "run")
    searched, tested = 10, 8
    assert made == [(searched, "cuda"), *[(tested, "cpu")] * (len(made) - 1)]


def test_scores_of_a_gpu_are_kept_apart(request_: SearchRequest, tmp_path: Path) -> None:
    """They differ in their last digits."""
    on_gpu = replace(request_, device="cuda")
    one, both = (f"sqlite:///{tmp_path / name}.sqlite" for name in ("one", "both"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("haq.search.evaluation.make_evaluator", on_cpu)
        for number, (asked, store) in enumerate([(on_gpu, one), (request_, both), (on_gpu, both)]):
            search(asked, tmp_path / str(number), store)
    kept = (found(tmp_path / f"{name}.sqlite")["evaluations"] for name in ("one", "both"))
    alone, beside = ({row[:3] for row in rows} for rows in kept)
    assert alone < beside


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_a_search_on_a_gpu_is_repeated_exactly(request_: SearchRequest, tmp_path: Path) -> None:
    for name in ("once", "again"):
        search(replace(request_, device="cuda"), tmp_path / name)
    assert same_run(tmp_path / "once", tmp_path / "again")
