from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from api.workers import child
from api.workers.errand import Errand
from haq.crew import Crew
from haq.search.asked import Asked
from haq.store.lock import sole_use
from quant.errors import (
    BoardLostError,
    BudgetError,
    HaqError,
    InputError,
    InUseError,
    StorageError,
    WorkerError,
)

ERRAND = Errand("1" * 32, Asked())


def carry_out(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> tuple[str, str | None]:
    def search(errand: Errand) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(child, "search", search)
    return child.carry_out(ERRAND)


def test_a_good_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert carry_out(monkeypatch, None) == ("done", None)


@pytest.mark.parametrize("kind", [BoardLostError, StorageError, WorkerError, InUseError])
def test_what_passes_is_tried_again(monkeypatch: pytest.MonkeyPatch, kind: type[HaqError]) -> None:
    assert carry_out(monkeypatch, kind("why")) == ("again", "why")


@pytest.mark.parametrize("kind", [InputError, BudgetError])
def test_what_does_not_pass_has_failed(
    monkeypatch: pytest.MonkeyPatch, kind: type[HaqError]
) -> None:
    assert carry_out(monkeypatch, kind("why")) == ("failed", "why")


def test_a_surprise_has_failed_and_leaves_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert carry_out(monkeypatch, KeyError("x")) == ("failed", "KeyError: 'x'")
    assert "Traceback" in capsys.readouterr().err


def test_a_run_that_another_process_has_is_such_an_error(tmp_path: Path) -> None:
    with sole_use(tmp_path), pytest.raises(InUseError), sole_use(tmp_path):
        pass


@pytest.mark.parametrize("ray", [None, "10.0.0.1:6379"])
def test_searches_are_evaluated_where_the_operator_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ray: str | None
) -> None:
    seen: list[object] = []
    monkeypatch.setenv("HAQ_SERVICE_DATA_DIR", str(tmp_path))
    if ray is not None:
        monkeypatch.setenv("HAQ_SERVICE_RAY", ray)

    @contextmanager
    def open_workers(crew: Crew, tell: object) -> Iterator[str]:
        seen.append(crew)
        yield "workers"

    @contextmanager
    def open_boards(*boards: object, tell: object, on_ray: bool) -> Iterator[None]:
        seen.append(on_ray)
        yield

    monkeypatch.setattr("haq.crew.open_workers", open_workers)
    monkeypatch.setattr("haq.connect.open_boards", open_boards)
    monkeypatch.setattr("haq.search.run.run_search", lambda *given: seen.append(given[-2]))
    monkeypatch.setattr("haq.report.page.write_report", lambda path: None)
    monkeypatch.setattr(child, "write_layers", lambda file, request: None)
    child.search(ERRAND)
    assert seen == [Crew(ray=ray), ray is not None, "workers"]


def test_a_search_stands_back_behind_the_service(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    happened: list[object] = []
    monkeypatch.setattr("os.nice", happened.append)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(ERRAND.to_line())))
    monkeypatch.setattr(child, "exit_when_stdin_closes", lambda: None)
    monkeypatch.setattr(child, "search", happened.append)
    child.main()
    assert happened == [child.NICENESS, ERRAND]
    assert json.loads(capsys.readouterr().out) == {"ended": "done", "error": None}


def test_progress_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    spoken = child.Spoken()
    spoken.note("waiting")
    spoken.start("search", 3)
    spoken.advance("kl 0.1")
    spoken.advance()
    spoken.note("the board is lost")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("done") for line in lines] == [None, 0, 1, 2, 2]
    assert [line["note"] for line in lines] == ["waiting", "", "kl 0.1", "", "the board is lost"]
    assert all(line["stage"] == "search" and line["total"] == 3 for line in lines[1:])
