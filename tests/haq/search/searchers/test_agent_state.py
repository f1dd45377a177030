from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from env.actions import tied_choices
from haq.search._base import Trial
from haq.search.searchers.agent_state import ENTROPY, agent_state, trained
from haq.search.searchers.ddpg import DdpgConstants, DdpgSearcher, MakeAgent, make_agent
from haq.search.searchers.stable import make_sac, make_td3
from haq.search.state import State
from quant.errors import StateError
from quant.policy import uniform
from tests.env.toys import bit_costs, quantization_noise, toy_graph

GRAPH = toy_graph(5)
CHOICES = tied_choices(GRAPH.layer_names)
SMALL = DdpgConstants(warmup=1, hidden=(8, 8))
MAKERS = [make_agent, make_td3, make_sac]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def searcher_of(make: MakeAgent, constants: DdpgConstants = SMALL, layers: int = 5) -> DdpgSearcher:
    graph = toy_graph(layers)
    choices = tied_choices(graph.layer_names)
    model = bit_costs(choices, [1] * layers)
    return DdpgSearcher(graph, choices, model, constants=constants, make=make)


def learn(searcher: DdpgSearcher, *widths: int) -> None:
    searcher.tell([Trial(uniform(GRAPH.layer_names, w, w), -1 / w) for w in widths])


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("told", [(8,), (8, 16), (8, 16, 32)])
def test_training_goes_on_to_the_bit(make: MakeAgent, told: tuple[int, ...]) -> None:
    """Also after an odd number of updates, when TD3 has put the actor's off."""
    searcher, restored = searcher_of(make), searcher_of(make)
    learn(searcher, *told)
    assert searcher._agent._n_updates == 5 * (len(told) - 1)
    restored.restore(State.from_bytes(searcher.state().to_bytes()))
    before = {name: t.detach().clone() for name, t in trained(searcher._agent).items()}
    for one in (searcher, restored):
        learn(one, 32, 8)
    found = trained(restored._agent)
    for name, tensor in trained(searcher._agent).items():
        assert torch.equal(found[name], tensor), name
    changed = [name for name in before if not torch.equal(before[name], found[name])]
    assert {name.split("/")[0] for name in changed} >= {"policy"}
    assert agent_state(restored._agent).to_bytes() == agent_state(searcher._agent).to_bytes()


@pytest.mark.parametrize("make", MAKERS)
def test_a_state_has_networks_moments_and_the_entropy_coefficient(make: MakeAgent) -> None:
    searcher = searcher_of(make)
    learn(searcher, 8, 16)
    found = set(agent_state(searcher._agent).tensors)
    sac = make is make_sac
    networks = ("actor", "critic", "critic_target", *(() if sac else ("actor_target",)))
    for network in networks:
        assert any(name.startswith(f"policy/{network}.") for name in found)
    optimizers = ("actor.optimizer", "critic.optimizer", *(("ent_coef_optimizer",) if sac else ()))
    for optimizer in optimizers:
        assert {f"{optimizer}/0.{part}" for part in ("step", "exp_avg", "exp_avg_sq")} <= found
    assert (ENTROPY in found) == sac


@pytest.mark.parametrize("make", MAKERS)
def test_a_refused_state_changes_no_network(make: MakeAgent) -> None:
    other = searcher_of(make, DdpgConstants(warmup=1, hidden=(8, 9)))
    searcher = searcher_of(make)
    before = agent_state(searcher._agent).to_bytes()
    with pytest.raises(StateError, match="another problem"):
        searcher.restore(other.state())
    assert agent_state(searcher._agent).to_bytes() == before


def test_the_state_of_a_longer_replay_is_refused() -> None:
    other = searcher_of(make_agent, DdpgConstants(warmup=1, hidden=(8, 8), replay=9))
    with pytest.raises(StateError, match="another problem"):
        searcher_of(make_agent).restore(other.state())


def test_the_state_of_other_layers_is_refused() -> None:
    with pytest.raises(StateError, match="another problem"):
        searcher_of(make_agent).restore(searcher_of(make_agent, layers=6).state())


def test_model_budget_and_harm_stay() -> None:
    searcher, restored = searcher_of(make_agent), searcher_of(make_agent)
    harm = quantization_noise(CHOICES, [1] * 5)
    own = (bit_costs(CHOICES, [2] * 5), 0.5, harm)
    restored.env.model, restored.env.budget, restored.env.harm = own
    restored.restore(searcher.state())
    assert (restored.env.model, restored.env.budget, restored.env.harm) == own
    np.testing.assert_array_equal(restored.env.features, searcher.env.features)
