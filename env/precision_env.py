"""The Gymnasium environment whose episode is one walk through the layers of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from env.actions import Choices, to_bits
from env.budget import CostModel, Harm, walk
from env.observation import layer_features, observe, size
from quant.errors import PolicyError
from quant.graph import Floats, Graph
from quant.policy import Policy

Walk = Callable[[Policy, Choices, CostModel, float, Harm | None], Policy]


class PrecisionEnv(gym.Env[Floats, Floats]):
    """Choose the bits of each layer of a network in turn, within a budget.

    ## Description
    An episode walks the quantizable layers in order and ends with a policy, after HAQ (Wang et
    al. 2019, section 3). Tied layers take one step; others a step for the weights and a step for
    the activations.

    ## Action space
    `Box(0, 1, (1,), float32)`. With n widths to choose from, the action a means the width of index
    round(n * a - 0.5), clipped to 0..n-1.

    ## Observation space
    `Box(0, 1, (10 + k,), float32)`. Elements 0 to 7 are min-max normalised over the layers; one
    that is the same in all layers is 0. The k numbers of `more`, none in HAQ, come before the last
    two.

    | element | meaning |
    |---|---|
    | 0 | whether the layer is a depthwise convolution |
    | 1 | input channels |
    | 2 | output channels |
    | 3 | stride (0 for a linear layer) |
    | 4 | kernel height (1 for a linear layer) |
    | 5 | number of weights |
    | 6 | height times width of the input |
    | 7 | index of the layer |
    | 8 | bits of the last step / largest width of the choices; 1 before the first step |
    | 9 | 1 at a weight step or a tied step, 0 at an activation step |

    ## Reward
    0 at every step but the last, whose reward is that of the policy after the budget walk, as given
    by the `reward` function.

    ## Start state
    The first layer's first step. Nothing is random and nothing is kept from the last episode.

    ## End of episode
    After the last layer's last step the episode terminates; it is never truncated. The policy is
    first fitted into the budget (`env.budget.walk`). The last `info` holds "policy", the Policy
    that was rewarded, and "actions", float32 (steps,): the actions that mean exactly that policy.
    """

    def __init__(
        self,
        graph: Graph,
        choices: Choices,
        model: CostModel,
        budget: float | None,
        reward: Callable[[Policy], float],
        harm: Harm | None = None,
        more: Floats | None = None,
        fit: Walk = walk,
    ) -> None:
        """`budget` is in the unit of `model`; None leaves every policy as it was chosen.

        `more` (layers, k), in [0, 1], is what else the agent sees of each layer; `fit` is the walk
        into the budget.

        `model`, `budget` and `harm` may be replaced at any time: the next walk uses the new ones.
        Raises PolicyError where the choices are not for the layers of the graph.
        """
        if choices.names != graph.layer_names:
            raise PolicyError("the choices must name the layers of the network in their order")
        self.action_space = spaces.Box(0, 1, (1,), np.float32)
        self.features = layer_features(graph, more)
        self.observation_space = spaces.Box(0, 1, (size(self.features),), np.float32)
        self.choices = choices
        self.model = model
        self.budget = budget
        self.reward = reward
        self.harm = harm
        self.fit = fit
        self._widths: list[int] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Floats, dict[str, Any]]:
        """Start over at the first layer."""
        super().reset(seed=seed, options=options)
        self._widths = []
        return self._observation(), {}

    def step(self, action: Floats) -> tuple[Floats, float, bool, bool, dict[str, Any]]:
        """Choose the bits of the current step. Raises BudgetError if the budget cannot be met."""
        widths = self.choices.steps[len(self._widths)].widths
        self._widths.append(to_bits(float(action[0]), widths))
        if len(self._widths) < len(self.choices.steps):
            return self._observation(), 0.0, False, False, {}
        policy = self._fit(self.choices.policy(self._widths))
        actions = np.array(self.choices.actions(policy), dtype=np.float32)
        info = {"policy": policy, "actions": actions}
        return self._observation(), self.reward(policy), True, False, info

    def _observation(self) -> Floats:
        return observe(self.features, self.choices, self._widths)

    def _fit(self, policy: Policy) -> Policy:
        if self.budget is None:
            return policy
        return self.fit(policy, self.choices, self.model, self.budget, self.harm)
