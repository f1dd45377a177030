from __future__ import annotations

import pytest

from quant.details import Pads
from quant.errors import ModelError
from quant.trace.builder import Builder
from quant.trace.padding import pad, unpadded


@pytest.fixture
def builder() -> Builder:
    found = Builder()
    found.image("x", (4, 3, 5))
    return found


def test_padded_images_are_larger(builder: Builder) -> None:
    node = builder.nodes[pad(builder, "p", "x", (1, 2, 3, 4), "reflect")]
    assert (node.shape, node.detail) == ((4, 10, 8), Pads((1, 2, 3, 4), "reflect"))
    assert pad(builder, "q", "x", (0, 0, 0, 0), "zeros") == "x"
    with pytest.raises(ModelError, match="'q' crops its input"):
        pad(builder, "q", "x", (1, -1, 0, 0), "zeros")


def test_only_zeros_become_a_windows(builder: Builder) -> None:
    zeros = pad(builder, "zeros", "x", (1, 2, 3, 4), "zeros")
    mirrored = pad(builder, "mirrored", "x", (1, 2, 2, 2), "reflect")
    assert unpadded(builder, zeros, (1, 1, 0, 0)) == ("x", (2, 3, 3, 4))
    assert unpadded(builder, mirrored, (1, 1, 0, 0)) == ("mirrored", (1, 1, 0, 0))
    assert unpadded(builder, "x", (1, 1, 0, 0)) == ("x", (1, 1, 0, 0))
