from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from api.errors import BusyError
from api.workers import aside
from quant.errors import BudgetError, InputError

ECHO = """
from api.workers.aside import answer
import os
answer(lambda question: {**question, "secret": os.environ.get("HAQ_SERVICE_ADMIN_KEY")})
"""


def put_module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """A module that other processes can run, by its name."""
    (folder / "asked_aside.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "asked_aside"


def test_a_question_is_answered_without_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAQ_SERVICE_ADMIN_KEY", "hidden")
    module = put_module(tmp_path, monkeypatch, ECHO)
    assert aside.ask(module, {"a": 1}) == {"a": 1, "secret": None}


@pytest.mark.parametrize("text", ["raise SystemExit(1)", "print('no JSON')", "input()"])
def test_a_process_without_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    with pytest.raises(InputError, match="cannot be looked at"):
        aside.ask(put_module(tmp_path, monkeypatch, text), {})


def test_nobody_waits_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aside, "TIMEOUT_S", 0.5)
    with pytest.raises(BusyError, match="could not be looked at"):
        aside.ask(put_module(tmp_path, monkeypatch, "import time; time.sleep(60)"), {})


def test_what_is_wrong_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(question: aside.Question) -> None:
        raise BudgetError(f"no {question['a']}")

    monkeypatch.setattr(sys, "argv", ["module", '{"a": 1}'])
    aside.answer(refuse)
    assert json.loads(capsys.readouterr().out) == {"problem": "no 1"}


def test_only_secrets_are_left_out() -> None:
    given = {"PATH": "x", "HAQ_SERVICE_STORE": "y", "HAQ_BOARD_KEY_PI5": "z"}
    assert aside.without_secrets(given) == {"PATH": "x"}


def test_a_problem_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = put_module(tmp_path, monkeypatch, 'print(\'{"problem": "too small"}\')')
    with pytest.raises(InputError, match="too small"):
        aside.ask(module, {})
