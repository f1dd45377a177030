from __future__ import annotations

import ctypes

import pytest

from haq.search.searchers.hushed import no_stdout


def test_what_c_prints_is_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    with no_stdout():
        ctypes.CDLL(None).printf(b"from the solver\n")
    print("after")
    found = capfd.readouterr()
    assert found.out.split() == ["before", "after"]
    assert found.err == ""


def test_standard_output_is_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), no_stdout():
        raise ValueError("x")
    print("after")
    assert capfd.readouterr().out == "after\n"
