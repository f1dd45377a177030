from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from api.work import check
from api.work.check import check_weights, without_secrets
from quant.errors import ModelError
from tests.haq.subjects import write_small_weights


def test_weights_that_fit(tmp_path: Path) -> None:
    check_weights(write_small_weights(tmp_path / "w.safetensors"), "mbv2", 16, "torch")


def test_weights_that_do_not_fit_are_refused_by_one_line_without_a_path(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"none")
    with pytest.raises(ModelError) as error:
        check_weights(path, "mbv2", 16, "torch")
    assert str(tmp_path) not in str(error.value) and "\n" not in str(error.value)
    assert path.exists()


def test_what_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(check, "TIMEOUT_S", 0.05)
    with pytest.raises(ModelError, match="in time"):
        check_weights(tmp_path / "w.safetensors", "mbv2", 16, "torch")


def test_who_reads_what_was_uploaded_has_no_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[dict[str, str]] = []

    def run(*args: Any, env: dict[str, str], **options: Any) -> subprocess.CompletedProcess[str]:
        given.append(env)
        return subprocess.CompletedProcess(args, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("HAQ_SERVICE_ADMIN_KEY", "secret")
    monkeypatch.setenv("HAQ_SERVICE_STORE", "postgresql://u:secret@h/n")
    monkeypatch.setenv("HAQ_BOARD_KEY_PI5", "secret")
    check_weights(tmp_path / "w.safetensors", "mbv2", 16, "torch")
    assert "secret" not in str(given) and "PATH" in given[0]


def test_other_variables_stay() -> None:
    assert without_secrets({"PATH": "x", "HAQ_SERVICE_PORT": "1"}) == {"PATH": "x"}
