"""16-bit layers on Arm are 16 bits wide and close to float32."""

from __future__ import annotations

import numpy as np
import pytest

from tests.arm.machine import arm_only
from tests.arm.pairs import Kind, image, mixed, pair
from tests.arm.test_int8 import KINDS

pytestmark = arm_only
OF_LARGEST = 1e-2
"""bf16 rounds input, weights and output to 8 digits; fp16 to 11, but its sums too."""


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_16_bit_layers_are_close_to_float32(kind: Kind) -> None:
    exact = mixed(pair(kind), 32, 32).engine.blobs(image(kind), ["tested"])["tested"]
    half = mixed(pair(kind), 16, 16)
    found = half.engine.blobs(image(kind), ["tested"])["tested"]
    error = np.abs(found - exact).max() / np.abs(exact).max()
    assert half.engine.blob_width(image(kind), "tested") == half.widths["tested"] == 16
    assert 0 < error <= OF_LARGEST
