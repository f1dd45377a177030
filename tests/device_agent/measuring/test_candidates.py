from pathlib import Path

import numpy as np
import pytest

from device_agent.measuring.candidates import Workshop
from quant.errors import PolicyError
from quant.ncnn.runtime import capabilities
from tests.device_agent.small_network import RANGES, SHAPE, everywhere, small_layers


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, capabilities(), threads=1)


def test_candidates_are_loaded_again_and_again_from_files_of_their_own(workshop: Workshop) -> None:
    image = np.random.default_rng(0).uniform(-1, 1, SHAPE).astype(np.float32)
    candidates = [workshop.float32(small_layers())]
    candidates += [workshop.mixed(small_layers(), everywhere(b), RANGES) for b in (8, 16, 32)]
    assert len({candidate.bin_file for candidate in candidates}) == 4
    outputs = [candidate.load().run(image) for candidate in candidates]
    again = [candidate.load().run(image) for candidate in candidates]
    for first, second in zip(outputs, again, strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(outputs[0], outputs[3])
    assert not np.array_equal(outputs[0], outputs[1])


def test_sixteen_bit_types_are_on_only_where_they_are_asked_for(workshop: Workshop) -> None:
    able = capabilities().bits16
    found = [workshop.mixed(small_layers(), everywhere(b), RANGES).bits16 for b in (8, 16, 32)]
    assert found == ["none", able, "none"]


def test_policies_that_ncnn_cannot_run_are_refused(workshop: Workshop) -> None:
    with pytest.raises(PolicyError, match="no activation range"):
        workshop.mixed(small_layers(), everywhere(8), {})
