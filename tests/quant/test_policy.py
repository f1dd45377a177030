from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.errors import PolicyError
from quant.policy import ALLOWED_BITS, Bits, Policy, from_short_name, uniform

NAMES = ("stem", "depthwise", "last")

widths = st.sampled_from(sorted(ALLOWED_BITS))
policies = st.dictionaries(st.text(max_size=20), st.builds(Bits, widths, widths)).map(Policy)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "layers", "weight", "activation", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(policies)
def test_json_round_trip(policy: Policy) -> None:
    text = json.dumps(policy.to_json())
    again = Policy.from_json(json.loads(text))
    assert again == policy
    assert list(again.layers) == list(policy.layers)
    assert again.key() == policy.key()


@given(policies)
def test_equal_policies_are_one_key_of_a_table(policy: Policy) -> None:
    other = Policy(dict(reversed(list(policy.layers.items()))))
    assert other == policy
    assert {policy: 1}[other] == 1


@given(json_values)
def test_other_json_is_a_policy_error(data: object) -> None:
    try:
        policy = Policy.from_json(data)
    except PolicyError:
        return
    assert isinstance(data, dict)
    assert policy.to_json()["layers"] == data["layers"]


@pytest.mark.parametrize(
    "entry",
    [
        8,
        None,
        {},
        {"weight": 8},
        {"weight": 8, "activation": 8, "bias": 8},
        {"weight": "8", "activation": 8},
        {"weight": 8.0, "activation": 8},
        {"weight": True, "activation": 8},
        {"weight": 8, "activation": 1},
        {"weight": 8, "activation": 9},
        {"weight": -8, "activation": 8},
        {"weight": 64, "activation": 64},
    ],
)
def test_wrong_entries_are_policy_errors(entry: object) -> None:
    with pytest.raises(PolicyError):
        Policy.from_json({"version": 1, "layers": {"stem": entry}})


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_other_versions_are_policy_errors(version: object) -> None:
    with pytest.raises(PolicyError, match="version"):
        Policy.from_json({"version": version, "layers": {}})


def test_wrong_names_in_an_entry_are_told() -> None:
    with pytest.raises(PolicyError, match="depthwise"):
        Policy.from_json({"version": 1, "layers": {"depthwise": [8, 8]}})


@pytest.mark.parametrize("bits", [-1, 0, 9, 12, 15, 17, 31, 33])
def test_unsupported_bits(bits: int) -> None:
    with pytest.raises(PolicyError, match=str(bits)):
        Bits(bits, 8)
    with pytest.raises(PolicyError, match=str(bits)):
        Bits(8, bits)


@given(widths, widths)
def test_ncnn_runs_only_tied_widths(weight: int, activation: int) -> None:
    expected = weight if weight == activation and weight in (8, 16, 32) else None
    assert Bits(weight, activation).engine == expected


def test_engine_bits() -> None:
    policy = Policy({"stem": Bits(8, 8), "depthwise": Bits(32, 32), "last": Bits(16, 16)})
    assert policy.is_deployable
    assert policy.engine_bits() == {"stem": 8, "depthwise": 32, "last": 16}


def test_simulated_layers_cannot_be_deployed() -> None:
    policy = uniform(NAMES, 8, 8).replace("depthwise", Bits(4, 8))
    assert not policy.is_deployable
    with pytest.raises(PolicyError, match="depthwise has W4A8"):
        policy.engine_bits()


def test_replace_leaves_the_original() -> None:
    policy = uniform(NAMES, 8, 8)
    changed = policy.replace("last", Bits(32, 32))
    assert policy["last"] == Bits(8, 8)
    assert changed["last"] == Bits(32, 32)
    assert list(changed.layers) == list(NAMES)


def test_key_does_not_depend_on_order() -> None:
    forward = Policy({"a": Bits(8, 8), "b": Bits(4, 4)})
    backward = Policy({"b": Bits(4, 4), "a": Bits(8, 8)})
    assert forward.key() == backward.key()


@given(policies, policies)
def test_keys_differ_where_policies_differ(one: Policy, other: Policy) -> None:
    assert (one.key() == other.key()) == (dict(one.layers) == dict(other.layers))


def test_check_names() -> None:
    policy = uniform(NAMES, 8, 8)
    policy.check_names(NAMES)
    policy.check_names(tuple(reversed(NAMES)))
    with pytest.raises(PolicyError, match=r"1 layers missing \['other'\], 0 unknown"):
        policy.check_names((*NAMES, "other"))
    with pytest.raises(PolicyError, match=r"0 layers missing \[\], 1 unknown \['last'\]"):
        policy.check_names(NAMES[:2])


@pytest.mark.parametrize("text", ["8", "16", "32"])
def test_short_names_of_engine_bits_hold_everywhere(text: str) -> None:
    policy = from_short_name(text, NAMES)
    assert policy == uniform(NAMES, int(text), int(text))


@pytest.mark.parametrize("text", ["w4a6", "W4A6"])
def test_short_names_of_haq_leave_the_ends_at_8(text: str) -> None:
    policy = from_short_name(text, NAMES)
    assert policy == Policy({"stem": Bits(8, 8), "depthwise": Bits(4, 6), "last": Bits(8, 8)})


@pytest.mark.parametrize("text", ["", "4", "w4", "a6", "w4a6.json", "xw4a6", "w-4a6", "int8"])
def test_other_words_are_no_short_names(text: str) -> None:
    assert from_short_name(text, NAMES) is None


def test_short_names_with_unsupported_bits() -> None:
    with pytest.raises(PolicyError, match="12 bits"):
        from_short_name("w12a8", NAMES)


def test_weights_of_1_bit_are_allowed_and_activations_not() -> None:
    assert Bits(1, 32).engine is None
    with pytest.raises(PolicyError, match="1 bits are not supported: choose 2 to 8, 16 or 32"):
        Bits(8, 1)
    with pytest.raises(PolicyError, match=r"0 bits are not supported: .* 1 for weights shared"):
        Bits(0, 32)


def test_a_short_name_with_float_activations_has_the_same_weights_at_the_ends() -> None:
    names = ("first", "middle", "last")
    assert from_short_name("w3a32", names) == uniform(names, 3, 32)
    assert from_short_name("w3a8", names) == uniform(names, 3, 8, ends=8)
