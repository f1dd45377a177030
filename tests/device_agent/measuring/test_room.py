from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_agent.measuring import room
from quant.errors import InputError
from quant.ncnn.format import NcnnLayer, Payload

WEIGHTS = Payload(np.zeros(2**20, np.float32), None)
LAYERS = (
    NcnnLayer("Input", "image", (), ("image",)),
    NcnnLayer("Convolution", "conv", ("image",), ("out",), {}, WEIGHTS),
)


@given(st.lists(st.integers(1, 50)), st.integers(1, 60))
def test_groups_hold_everything_once_and_fit(sizes: list[int], space: int) -> None:
    found = list(room.groups(sizes, space))
    assert [index for group in found for index in group] == list(range(len(sizes)))
    assert all(len(g) == 1 or sum(sizes[i] for i in g) <= space for g in found)


def test_networks_that_fit_pass_and_more_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    each = room.loaded_bytes(LAYERS)
    assert each == room.EMPTY_BYTES + room.LOADED * WEIGHTS.weight.nbytes  # type: ignore[union-attr]
    monkeypatch.setattr(room, "room_bytes", lambda: 10 * each)
    room.require_room(LAYERS, 10)
    with pytest.raises(InputError, match=r"11 networks take about 0.2 GiB at once.*fewer at once"):
        room.require_room(LAYERS, 11)


def test_there_is_room_on_this_machine() -> None:
    assert room.room_bytes() > 2**28
