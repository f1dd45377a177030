from __future__ import annotations

import numpy as np
import pytest

from quant.errors import ModelError
from quant.graph import Weights
from quant.trace.builder import Builder
from quant.trace.seen import Seen, whole
from quant.trace.sequences import Steps, conv1d, window_of

ONE = Weights(np.ones((1, 1, 3), np.float32), np.zeros(1, np.float32))


@pytest.fixture
def builder() -> Builder:
    found = Builder()
    found.image("x", (6, 1, 1))
    return found


def channels(builder: Builder) -> Seen:
    """The channels of one pixel as a sequence (N, 1, C)."""
    return whole("x", (6, 1, 1)).moved(lambda places: places.reshape(-1, 1, 6))


def test_channels_are_a_row_to_a_convolution(builder: Builder) -> None:
    found = conv1d(builder, "c", channels(builder), ONE, Steps(padding=1, stride=(2,)))
    row, conv = builder.nodes["c.row"], builder.nodes["c"]
    assert (row.op, row.shape) == ("reshape", (1, 1, 6))
    assert conv.layer is not None and conv.layer.weight_shape == (1, 1, 1, 3)
    assert (conv.layer.pads, conv.layer.stride, conv.shape) == ((1, 1, 0, 0), (1, 2), (1, 1, 3))
    assert (found.source, found.places.shape) == ("c", (2, 1, 3))


def test_other_orders_are_refused(builder: Builder) -> None:
    turned = channels(builder).moved(lambda places: places[:, :, ::-1])
    with pytest.raises(
        ModelError, match=r"'c\.row' has its axes in an order that is not supported"
    ):
        conv1d(builder, "c", turned, ONE, Steps())
    with pytest.raises(ModelError, match=r"layer c reads no sequence \(N, C, L\)"):
        conv1d(builder, "c", whole("x", (6, 1, 1)), ONE, Steps())


def test_padding_by_a_word() -> None:
    assert window_of(Steps(padding="same", dilation=(2,)), 4).pads == (3, 3, 0, 0)
    assert window_of(Steps(padding="valid"), 4).pads == (0, 0, 0, 0)
