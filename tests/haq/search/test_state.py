from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from safetensors.numpy import save

from haq.search.state import KEY, State
from quant.errors import StateError

TYPES = ["float32", "float64", "uint8", "int64", "uint32", "bool"]
ARRAYS = st.sampled_from(TYPES).flatmap(
    lambda name: hnp.arrays(np.dtype(name), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
NAMES = st.text(max_size=8).filter(lambda name: name != "__metadata__")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
STATE = State(
    {"weights": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(3.0)},
    {"kind": "random", "rng": np.random.default_rng(1).bit_generator.state},
)
BLOB = STATE.to_bytes()


@given(st.dictionaries(NAMES, ARRAYS, max_size=3), st.dictionaries(st.text(max_size=8), JSON))
def test_bytes_hold_all(tensors: dict[str, NDArray[Any]], values: dict[str, Any]) -> None:
    state = State(tensors, values)
    found = State.from_bytes(state.to_bytes())
    assert found.values == values
    assert set(found.tensors) == set(tensors)
    for name, array in tensors.items():
        assert found.tensors[name].dtype == array.dtype
        assert found.tensors[name].shape == array.shape
        assert found.tensors[name].tobytes() == array.tobytes()
    assert found.to_bytes() == state.to_bytes()


def test_arrays_in_another_order_of_memory_are_the_same() -> None:
    array = np.arange(6.0).reshape(2, 3)
    turned = State({"a": np.asfortranarray(array)}, {})
    assert turned.to_bytes() == State({"a": array}, {}).to_bytes()


def test_a_generator_goes_on_exactly() -> None:
    rng = np.random.default_rng(1)
    rng.bit_generator.state = State.from_bytes(BLOB).values["rng"]
    assert rng.random() == np.random.default_rng(1).random()


@given(st.integers(0, len(BLOB) - 1))
def test_a_part_is_refused(size: int) -> None:
    with pytest.raises(StateError, match="remove it"):
        State.from_bytes(BLOB[:size])


@given(st.integers(0, len(BLOB) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_changes_nothing(position: int, change: int) -> None:
    changed = bytearray(BLOB)
    changed[position] ^= change
    try:
        found = State.from_bytes(bytes(changed))
    except StateError as error:
        assert "remove it" in str(error)
    else:
        assert found.to_bytes() == BLOB


@pytest.mark.parametrize("position", range(len(BLOB) - 32, len(BLOB)))
def test_a_changed_number_is_refused(position: int) -> None:
    changed = bytearray(BLOB)
    changed[position] ^= 1
    with pytest.raises(StateError, match="damaged"):
        State.from_bytes(bytes(changed))


@given(st.binary(max_size=64))
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(StateError, match="remove it"):
        State.from_bytes(data)
    with pytest.raises(StateError, match="remove it"):
        State.from_bytes(BLOB + data + b" ")


@pytest.mark.parametrize("metadata", [None, {}, {"values": "{}"}, {KEY: ""}, {KEY: "0 {}"}])
def test_other_tensors_are_refused(metadata: dict[str, str] | None) -> None:
    with pytest.raises(StateError, match="remove it"):
        State.from_bytes(save({"weights": np.zeros(3)}, metadata))


def test_values_of_another_state_are_refused() -> None:
    size = int.from_bytes(BLOB[:8], "little")
    header = json.loads(BLOB[8 : 8 + size])
    text: str = header["__metadata__"][KEY]
    forged = save(dict(STATE.tensors), {KEY: text.replace("random", "greedy")})
    with pytest.raises(StateError, match="damaged"):
        State.from_bytes(forged)


def test_a_part_is_found_beneath_its_name() -> None:
    whole = State({"own": np.zeros(2)}, {"kind": "guided"}).with_part("agent", STATE)
    assert set(whole.tensors) == {"own", "agent/weights", "agent/step"}
    assert State.from_bytes(whole.to_bytes()).part("agent").to_bytes() == BLOB


def test_another_kind_is_refused() -> None:
    STATE.check_kind("random")
    with pytest.raises(StateError, match="that of a random searcher, not of a TD3 one"):
        STATE.check_kind("TD3")
