import hashlib

import numpy as np
import pytest

from device_agent.measuring.outputs import Outputs, checksum, require_finite
from quant.errors import BoardError


def test_outputs_are_compared_bit_by_bit() -> None:
    outputs = Outputs([np.array([1.0, 2.0], np.float32), np.array([3.0, 4.0], np.float32)])
    outputs.inspect(0, np.array([1.0, 2.0], np.float32))
    outputs.inspect(1, np.array([3.0, 4.0], np.float32))
    outputs.require_equal()
    outputs.inspect(1, np.array([3.0, np.nextafter(np.float32(4), np.float32(5))], np.float32))
    assert (outputs.checked, outputs.differing) == ([1, 2], [0, 1])
    with pytest.raises(BoardError, match="another output"):
        outputs.require_equal()


def test_no_output_at_all_differs_too() -> None:
    outputs = Outputs([np.array([1.0], np.float32)])
    outputs.inspect(0, None)
    assert outputs.differing == [1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_outputs_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(BoardError, match="not finite"):
        require_finite(np.array([1.0, value], np.float32))
    with pytest.raises(BoardError, match="not finite"):
        Outputs([np.array([value], np.float32)])


def test_checksum_is_of_the_little_endian_bytes() -> None:
    output = np.array([1.0, -2.5], np.float32)
    expected = hashlib.sha256(bytes.fromhex("0000803f000020c0")).hexdigest()
    assert checksum(output) == expected == checksum(output.astype(">f4"))
