import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.actions import (
    Choices,
    free_choices,
    tied_choices,
    to_action,
    to_bits,
    weight_choices,
)
from quant.errors import PolicyError
from quant.policy import ENGINE_BITS, SHARED_BITS, SIMULATED_BITS, Bits, Policy, uniform

NAMES = ("first", "middle", "last")
WIDTHS = st.sets(st.sampled_from((*SIMULATED_BITS, 16, 32)), min_size=1).map(
    lambda found: tuple(sorted(found))
)


def haq_bits(action: float) -> int:
    """The released code: stretch to [1.5, 8.5], round, keep within 2..8."""
    return min(max(round((8.5 - 1.5) * action + 1.5), 2), 8)


@given(st.floats(0, 1))
def test_to_bits_is_haqs_rule_for_2_to_8(action: float) -> None:
    assert to_bits(action, SIMULATED_BITS) == haq_bits(action)


@given(WIDTHS, st.floats(0, 1))
def test_to_bits_never_falls_as_the_action_rises(widths: tuple[int, ...], action: float) -> None:
    assert to_bits(action, widths) >= to_bits(action / 2, widths)


@pytest.mark.parametrize("widths", [SIMULATED_BITS, ENGINE_BITS, (8,)])
def test_to_bits_reaches_both_ends(widths: tuple[int, ...]) -> None:
    assert (to_bits(0, widths), to_bits(1, widths)) == (widths[0], widths[-1])


@given(WIDTHS)
def test_to_action_is_the_centre_of_its_width(widths: tuple[int, ...]) -> None:
    centres = [to_action(bits, widths) for bits in widths]
    assert [to_bits(centre, widths) for centre in centres] == list(widths)
    assert centres == pytest.approx([(i + 0.5) / len(widths) for i in range(len(widths))])


def test_tied_choices_take_one_step_a_layer() -> None:
    choices = tied_choices(NAMES)
    assert [(step.layer, step.is_weight) for step in choices.steps] == [(n, True) for n in NAMES]
    assert choices.alternatives("middle") == (Bits(8, 8), Bits(16, 16), Bits(32, 32))
    assert choices.max_bits == 32


def test_free_choices_take_a_weight_step_then_an_activation_step() -> None:
    choices = free_choices(NAMES)
    assert [(step.layer, step.is_weight) for step in choices.steps] == [
        (name, is_weight) for name in NAMES for is_weight in (True, False)
    ]
    assert len(set(choices.alternatives("middle"))) == 49
    assert choices.max_bits == 8


def test_free_choices_pin_the_ends() -> None:
    choices = free_choices(NAMES)
    assert choices.alternatives("first") == choices.alternatives("last") == (Bits(8, 8),)
    assert len(free_choices(NAMES, ends=None).alternatives("first")) == 49


def test_a_pinned_layer_ignores_its_actions() -> None:
    choices = free_choices(NAMES)
    widths = [to_bits(0.0, step.widths) for step in choices.steps]
    assert choices.policy(widths) == uniform(NAMES, 2, 2, ends=8)


@given(st.data(), st.booleans())
def test_policies_widths_and_actions_agree(data: st.DataObject, tied: bool) -> None:
    choices = tied_choices(NAMES) if tied else free_choices(NAMES)
    widths = tuple(data.draw(st.sampled_from(step.widths)) for step in choices.steps)
    policy = choices.policy(widths)
    assert choices.widths(policy) == widths
    meant = zip(choices.actions(policy), choices.steps, strict=True)
    assert tuple(to_bits(action, step.widths) for action, step in meant) == widths


@pytest.mark.parametrize(
    "policy",
    [uniform(NAMES, 16, 8), uniform(NAMES, 4, 4), uniform(NAMES[:2], 8, 8)],
)
def test_widths_refuse_a_policy_outside_of_the_choices(policy: Policy) -> None:
    with pytest.raises(PolicyError):
        tied_choices(NAMES).widths(policy)


@pytest.mark.parametrize(
    ("weight", "activation", "tied"),
    [
        ({}, {}, False),
        ({"a": (8, 4)}, {"a": (4, 8)}, False),
        ({"a": ()}, {"a": (8,)}, False),
        ({"a": (8,)}, {"b": (8,)}, False),
        ({"a": (8,)}, {"a": (16,)}, True),
    ],
)
def test_choices_refuse_what_makes_no_sense(
    weight: dict[str, tuple[int, ...]], activation: dict[str, tuple[int, ...]], tied: bool
) -> None:
    with pytest.raises(PolicyError):
        Choices(weight, activation, tied)


def test_weight_choices_take_a_weight_step_alone() -> None:
    choices = weight_choices(NAMES)
    assert [(step.layer, step.is_weight) for step in choices.steps] == [(n, True) for n in NAMES]
    assert choices.alternatives("first") == tuple(Bits(b, 32) for b in SHARED_BITS)
    assert choices.max_bits == 8


@given(st.lists(st.sampled_from(SHARED_BITS), min_size=3, max_size=3))
def test_weight_choices_leave_activations_in_float(widths: list[int]) -> None:
    choices = weight_choices(NAMES)
    policy = choices.policy(widths)
    assert [policy[name] for name in NAMES] == [Bits(width, 32) for width in widths]
    assert choices.widths(policy) == tuple(widths)
    meant = [
        to_bits(a, s.widths) for a, s in zip(choices.actions(policy), choices.steps, strict=True)
    ]
    assert meant == widths


def test_what_stays_float_has_one_width() -> None:
    tied = tied_choices(("a", "b"), (8, 16), floats={"b"})
    assert tied.weight == tied.activation == {"a": (8, 16), "b": (32,)}
    shared = weight_choices(("a", "b"), (2, 4), floats={"a"})
    assert shared.weight == {"a": (32,), "b": (2, 4)}
