"""The state of an off-policy agent of stable-baselines3: whatever its training goes by.

Networks with their targets, the moments of all optimizers, SAC's entropy coefficient, the number of
updates (TD3 delays some of the actor's by it) and the replay. Learning rates are constants, and the
environment's generators are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from torch import Tensor

from haq.search.searchers.replay import BaselineReplay
from haq.search.state import State
from quant.errors import StateError

ENTROPY = "log_ent_coef"


def agent_state(agent: OffPolicyAlgorithm) -> State:
    """A copy of all that training changes."""
    tensors = {name: tensor.detach().numpy().copy() for name, tensor in trained(agent).items()}
    values = {"updates": agent._n_updates}
    return State(tensors, values).with_part("replay", replay_of(agent).state())


def restore_agent(agent: OffPolicyAlgorithm, state: State) -> None:
    """Inverse of `agent_state`. Raises StateError where networks or replay have another size."""
    parts = agent.get_parameters()
    saved: dict[str, Any] = {part: state_dict(part, found, state) for part, found in parts.items()}
    check_shapes(parts["policy"], saved["policy"])
    replay_of(agent).restore(state.part("replay"))
    agent.set_parameters(saved)
    agent._n_updates = state.values["updates"]
    if (entropy := entropy_of(agent)) is not None:
        entropy.data.copy_(torch.from_numpy(state.tensors[ENTROPY].copy()))


def trained(agent: OffPolicyAlgorithm) -> dict[str, Tensor]:
    """All tensors by name: `policy/...` of networks, `actor.optimizer/...` of an optimizer."""
    found = {
        f"{part}/{name}": tensor
        for part, parameters in agent.get_parameters().items()
        for name, tensor in flat(parameters).items()
    }
    entropy = entropy_of(agent)
    return found if entropy is None else {**found, ENTROPY: entropy}


def flat(parameters: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """Tensors by name of a module's state dict, or of an optimizer's by its parameters' indexes."""
    if "param_groups" not in parameters:
        return parameters
    return {
        f"{index}.{name}": tensor
        for index, moments in parameters["state"].items()
        for name, tensor in moments.items()
    }


def state_dict(part: str, parameters: Mapping[str, Any], state: State) -> dict[str, Any]:
    """The state dict of a part as it was saved; `parameters` is the one that the part has now."""
    tensors = tensors_of(part, state)
    if "param_groups" not in parameters:
        return tensors
    moments: dict[int, dict[str, Tensor]] = {}
    for whole, tensor in tensors.items():
        index, name = whole.split(".")
        moments.setdefault(int(index), {})[name] = tensor
    return {**parameters, "state": moments}


def tensors_of(part: str, state: State) -> dict[str, Any]:
    """Copies of the saved tensors of a part by their names in it."""
    prefix = f"{part}/"
    return {
        name.removeprefix(prefix): torch.from_numpy(array.copy())
        for name, array in state.tensors.items()
        if name.startswith(prefix)
    }


def check_shapes(own: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Raise StateError unless networks are of the same shapes."""
    expected, found = ({n: t.shape for n, t in one.items()} for one in (own, saved))
    if expected != found:
        raise StateError("the state is that of an agent on another problem")


def entropy_of(agent: OffPolicyAlgorithm) -> Tensor | None:
    """The logarithm of SAC's entropy coefficient, which no network holds."""
    found: Tensor | None = getattr(agent, ENTROPY, None)
    return found


def replay_of(agent: OffPolicyAlgorithm) -> BaselineReplay:
    """The agent's replay."""
    assert isinstance(agent.replay_buffer, BaselineReplay)
    return agent.replay_buffer
