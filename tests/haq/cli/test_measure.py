from __future__ import annotations

from pathlib import Path

import pytest

from tests.haq.cli.program import haq

QUICK = ("--rel-ci", "0.5", "--max-seconds", "2")


def test_policies_are_timed_side_by_side(small: tuple[str, ...], cwd: Path) -> None:
    policies = ("--policy", "8", "--policy", "32")
    done = haq("measure", *policies, *QUICK, "--audit", *small, "--json")
    assert done.code == 0, done.err
    eight, floats = done.result
    assert (eight["policy"], floats["policy"]) == ("8", "32")
    for one in (eight, floats):
        assert one["ratio_low"] <= one["ratio"] <= one["ratio_high"]
        assert one["audit"]["outputs_equal"]
        assert one["conditions"]["threads"] == 1
        assert not one["cached"]
    assert "float network" in done.err
    assert list(cwd.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--threads", "2", "--clock", "cpu"), "use the wall clock"),
        (("--cores", "little"), "no little cores"),
        (("--cores", "one"), "expected numbers"),
        (("--policy", "w4a8"), "4"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    small: tuple[str, ...], cwd: Path, options: tuple[str, ...], message: str
) -> None:
    done = haq("measure", "--policy", "32", *QUICK, *options, *small)
    assert done.code == 2
    assert message in done.err.splitlines()[-1]
