from __future__ import annotations

from pathlib import Path

import pytest

from api.errors import BusyError
from api.workers import aside
from api.workers.check import check_weights
from quant.errors import InputError
from tests.haq.subjects import write_small_weights


def test_weights_that_fit(tmp_path: Path) -> None:
    check_weights(write_small_weights(tmp_path / "w.safetensors"), "mbv2", 16, "torch")


def test_weights_that_do_not_fit_are_refused_by_one_line_without_a_path(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"none")
    with pytest.raises(InputError) as error:
        check_weights(path, "mbv2", 16, "torch")
    assert str(tmp_path) not in str(error.value) and "\n" not in str(error.value)
    assert path.exists()


def test_what_takes_too_long_is_nothing_against_the_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(aside, "TIMEOUT_S", 0.05)
    with pytest.raises(BusyError, match="in time"):
        check_weights(tmp_path / "w.safetensors", "mbv2", 16, "torch")
