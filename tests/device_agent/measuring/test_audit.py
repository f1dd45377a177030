from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from device_agent.measuring import audit as audit_module
from device_agent.measuring.audit import audit, load_cycling
from device_agent.measuring.blocks import Stopping
from device_agent.measuring.candidates import Candidate, Workshop
from device_agent.measuring.outputs import Outputs
from device_agent.measuring.rounds import Run
from device_agent.measuring.timing import Timing
from quant.graph import Floats
from quant.ncnn.runtime import capabilities
from tests.device_agent.small_network import RANGES, SHAPE, everywhere, small_layers


@pytest.fixture
def candidate(tmp_path: Path) -> Candidate:
    return Workshop(tmp_path, capabilities(), threads=1).mixed(
        small_layers(), everywhere(8), RANGES
    )


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_module, "STOPPING", Stopping(0.05, 20, 60, 20.0))


def outputs(checked: int, differing: int) -> Outputs:
    found = Outputs([np.zeros(1, np.float32)])
    found.checked, found.differing = [checked], [differing]
    return found


def test_an_honest_network_passes(candidate: Candidate) -> None:
    found = audit(candidate, SHAPE, Timing(), outputs(40, 0), 0)
    assert found["passed"]
    assert found["outputs_equal"]
    assert found["outputs_checked"] == 40
    assert found["repeat_low"] <= found["repeat_ratio"] <= found["repeat_high"]


@pytest.mark.parametrize(("checked", "differing"), [(0, 0), (40, 1)])
def test_outputs_that_differ_or_were_never_looked_at_fail(
    candidate: Candidate, checked: int, differing: int
) -> None:
    assert not audit(candidate, SHAPE, Timing(), outputs(checked, differing), 0)["passed"]


def test_a_network_that_remembers_its_inputs_fails(
    candidate: Candidate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_remembering(candidate: Candidate, images: Floats) -> Run:
        """Answers the last input from memory."""
        engine, turn = candidate.load(), count()
        known: dict[int, Any] = {}

        def run() -> object:
            index = next(turn) % len(images)
            if index not in known:
                known.clear()
                known[index] = engine.run(images[index])
            return known[index]

        return run

    monkeypatch.setattr(audit_module, "load_cycling", load_remembering)
    found = audit(candidate, SHAPE, Timing(), outputs(40, 0), 0)
    assert found["repeat_high"] < 0.9
    assert not found["passed"]


def test_inputs_are_taken_in_turn(candidate: Candidate) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (2, *SHAPE)).astype(np.float32)
    run = load_cycling(candidate, images)
    first, second, third = (np.asarray(run()) for _ in range(3))
    np.testing.assert_array_equal(first, third)
    assert not np.array_equal(first, second)
