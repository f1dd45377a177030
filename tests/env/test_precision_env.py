import math
import warnings

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env as stable_baselines_check

from env.actions import Choices, free_choices, tied_choices, to_bits
from env.precision_env import PrecisionEnv
from quant.errors import BudgetError, PolicyError
from quant.graph import Floats
from quant.policy import Bits, Policy, uniform
from tests.env.toys import TableModel, bit_costs, quantization_noise, toy_graph

GRAPH = toy_graph(4)
TIED, FREE = tied_choices(GRAPH.layer_names), free_choices(GRAPH.layer_names)
SIZES = (1, 2, 3, 4)


def bits_kept(policy: Policy) -> float:
    return float(sum(bits.weight for bits in policy.layers.values()))


def make_env(choices: Choices, budget: float | None) -> PrecisionEnv:
    harm = quantization_noise(choices, SIZES)
    return PrecisionEnv(GRAPH, choices, bit_costs(choices, SIZES), budget, bits_kept, harm)


def play(env: PrecisionEnv, actions: list[float]) -> tuple[list[Floats], float, dict[str, object]]:
    """Observations, last reward and last info of an episode."""
    seen = [env.reset()[0]]
    for index, action in enumerate(actions):
        obs, reward, done, truncated, info = env.step(np.array([action], dtype=np.float32))
        seen.append(obs)
        assert done == (index == len(actions) - 1)
        assert not truncated
        assert reward == 0 or done
    return seen, reward, info


@pytest.mark.parametrize(("choices", "budget"), [(TIED, 20.0), (FREE, 8.0)], ids=["tied", "free"])
def test_checkers_pass(choices: Choices, budget: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Both would rather see [-1, 1]; HAQ's actions are in [0, 1]. No spec: it is not registered.
        warnings.filterwarnings("ignore", message=".*symmetric and normalized.*")
        warnings.filterwarnings("ignore", message=".*spec.*")
        gymnasium_check(make_env(choices, budget), skip_render_check=True)
        stable_baselines_check(make_env(choices, budget))


def test_without_a_budget_the_actions_are_executed() -> None:
    _, reward, info = play(make_env(TIED, None), [0.0, 0.5, 0.5, 1.0])
    assert info["policy"] == Policy(
        dict(zip(GRAPH.layer_names, [Bits(b, b) for b in (8, 16, 16, 32)], strict=True))
    )
    assert reward == 72


@given(st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8), st.floats(6.25, 10))
def test_the_walked_policy_is_rewarded_and_its_actions_returned(
    actions: list[float], budget: float
) -> None:
    env = make_env(FREE, budget)
    _, reward, info = play(env, actions)
    policy, executed = info["policy"], info["actions"]
    assert isinstance(policy, Policy)
    assert isinstance(executed, np.ndarray)
    assert executed.shape == (8,)
    assert executed.dtype == np.float32
    assert env.model.cost(policy) <= budget
    assert reward == bits_kept(policy)
    meant = zip(executed.tolist(), FREE.steps, strict=True)
    assert FREE.policy([to_bits(a, step.widths) for a, step in meant]) == policy


def test_the_flag_is_right_at_every_step_and_reset_leaves_nothing_behind() -> None:
    env = make_env(FREE, 7.0)
    first, *_ = play(env, [0.9, 0.1] * 4)
    second, *_ = play(env, [0.9, 0.1] * 4)
    np.testing.assert_array_equal(first, second)
    assert [obs[9] for obs in first] == [1, 0] * 4 + [0]
    env.reset()
    env.step(np.array([0.3], dtype=np.float32))
    np.testing.assert_array_equal(env.reset()[0], first[0])


def test_the_next_walk_uses_a_replaced_model() -> None:
    env = make_env(TIED, 15.0)
    _, reward, _ = play(env, [1.0] * 4)
    assert reward < 4 * 32
    env.model = TableModel(
        {name: dict.fromkeys(TIED.alternatives(name), 1.0) for name in TIED.names}
    )
    _, reward, _ = play(env, [1.0] * 4)
    assert reward == 4 * 32


def test_a_budget_out_of_reach_raises_at_the_last_step() -> None:
    with pytest.raises(BudgetError):
        play(make_env(FREE, 1.0), [0.5] * 8)


def test_an_infinite_budget_makes_free_switches_only() -> None:
    _, _, info = play(make_env(FREE, math.inf), [1.0] * 8)
    assert info["policy"] == uniform(GRAPH.layer_names, 8, 8)


def test_choices_of_another_network_are_refused() -> None:
    choices = tied_choices(toy_graph(5).layer_names)
    with pytest.raises(PolicyError):
        PrecisionEnv(GRAPH, choices, bit_costs(choices, (1,) * 5), None, bits_kept)
