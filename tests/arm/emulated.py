"""A plug-in of pytest: leaves out what cannot be true on an emulated processor, and says why."""

from __future__ import annotations

import pytest

QEMU_TALKS = "qemu writes a line of its own to the log of a process that dies of a signal"
JOBS = "tests/device_agent/processes/test_jobs.py"
NOT_HERE = {
    f"{JOBS}::test_a_killed_child_is_an_error_and_the_next_job_runs": QEMU_TALKS,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of the table. Raises UsageError for a line of it that no test has."""
    names = {item.nodeid.partition("[")[0]: item.nodeid.partition("::")[0] for item in items}
    stale = [name for name in NOT_HERE if name.partition("::")[0] in names.values()]
    stale = [name for name in stale if name not in names]
    if stale:
        raise pytest.UsageError(f"tests/arm/emulated.py names {stale[0]}, which is no test")
    for item in items:
        reason = NOT_HERE.get(item.nodeid.partition("[")[0])
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
