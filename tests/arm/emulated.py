"""A plug-in of pytest: leaves out what cannot be tested on an emulated board, and says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

LACKING = (
    *("torch", "onnx", "onnxruntime", "haq", "quant.trace", "quant.onnx_nodes"),
    *("tests.haq", "tests.quant.networks", "tests.quant.blocks", "tests.quant.trace"),
)
"""What a board does not have, and what needs it."""
NEEDS_TORCH = re.compile(
    rf"^(?:import|from) (?:{'|'.join(map(re.escape, LACKING))})\b", re.MULTILINE
)
AGENT = "tests/device_agent/"
NO_TIMES = "times under emulation mean nothing"
NO_LIMIT = "qemu lets a program have more memory than its limit"
NOT_HERE = {
    f"{AGENT}measuring/test_audit.py::test_an_honest_network_passes": NO_TIMES,
    f"{AGENT}measuring/test_blocks.py::"
    "test_a_network_against_itself_is_one_in_95_percent_of_200_runs": (
        "a simulated clock is the same on every processor, and this takes minutes"
    ),
    f"{AGENT}processes/test_confinement.py::"
    "test_more_than_allowed_is_an_error[bytearray(2**32)-MemoryError]": NO_LIMIT,
    f"{AGENT}processes/test_jobs.py::test_a_killed_child_is_an_error_and_the_next_job_runs": (
        "qemu writes a line of its own to the log of a process that dies of a signal"
    ),
    f"{AGENT}test_faults.py::test_a_network_that_harms_ncnn_fails_alone[eats memory]": NO_LIMIT,
    f"{AGENT}test_fuzz.py::test_spoilt_requests_are_refused_or_measured": (
        "its hundreds of processes take a quarter of an hour; the other tests of faults do run"
    ),
    f"{AGENT}web/test_tls.py::test_old_versions_are_refused": (
        "the OpenSSL of Debian 12 says it in other words"
    ),
}
"""Test, with or without its parameters -> why it cannot be true here, or is not worth its time."""
left_out: list[str] = []


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out a file of tests that needs torch."""
    if collection_path.suffix != ".py" or not needs_torch(collection_path):
        return None
    left_out.append(collection_path.name)
    return True


def needs_torch(path: Path) -> bool:
    """Whether a file imports torch or onnx, or what does."""
    return NEEDS_TORCH.search(path.read_text(encoding="utf-8")) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of the table."""
    for item in items:
        reason = NOT_HERE.get(item.nodeid) or NOT_HERE.get(item.nodeid.partition("[")[0])
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say which files were left out."""
    terminalreporter.write_line(
        f"left out, for they need torch or onnx: {', '.join(left_out) or 'none'}"
    )
