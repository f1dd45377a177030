from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.evaluation.memory import COMMANDS, evaluate_command, peak_mib
from bench.evaluation.subject import Given
from haq.data.fashion_mnist import load_sample
from tests.haq.subjects import write_images

HOLD = "x = bytearray(200 * 2**20); x[::4096] = b'1' * len(x[::4096])"


def test_the_most_that_a_process_held() -> None:
    small = peak_mib([sys.executable, "-c", ""])
    large = peak_mib([sys.executable, "-c", HOLD])
    assert 190 < large - small < 260


def test_a_process_that_fails_has_no_peak() -> None:
    with pytest.raises(RuntimeError, match="failed"):
        peak_mib([sys.executable, "-c", "raise SystemExit(2)"])


def test_a_process_begins_with_an_empty_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made").touch()
    monkeypatch.setenv("HAQ_CACHE", str(tmp_path))
    check = "import os; raise SystemExit(os.listdir(os.environ['HAQ_CACHE']) != [])"
    assert peak_mib([sys.executable, "-c", check]) > 0


def test_an_evaluation_is_measured(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", load_sample("test", 32).rows(0, 11))
    given = Given(None, str(folder), 32, "torch", calibration="0-3", scored="4-11")
    assert peak_mib(evaluate_command(given, *COMMANDS["ncnn int8"])) > 50
