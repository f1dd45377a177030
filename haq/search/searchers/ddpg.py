"""DDPG on the precision environment (Wang et al. 2019, section 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.utils import update_learning_rate

from env.actions import Choices
from env.budget import CostModel, Harm, walk
from env.observation import observe_episode
from env.precision_env import PrecisionEnv, Walk
from haq.search._base import Trial
from haq.search.searchers.agent_state import agent_state, restore_agent
from haq.search.searchers.replay import BaselineReplay
from haq.search.state import State
from quant.graph import Floats, Graph
from quant.policy import Policy
from quant.pool import one_thread


@dataclass(frozen=True)
class DdpgConstants:
    """HAQ's constants, from its released code; the paper's first hidden layer has 400 units.

    `warmup` counts episodes of uniform actions, after which learning starts; `sigma` is the
    standard deviation of the noise in the first episode after it, times `sigma_decay` each further
    episode; `replay` counts transitions a layer; `baseline_rate` is the weight of the newest batch
    in the moving average of rewards.
    """

    hidden: tuple[int, ...] = (300, 300)
    actor_rate: float = 1e-4
    critic_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    tau: float = 0.01
    gamma: float = 1.0
    batch: int = 64
    replay: int = 128
    warmup: int = 20
    sigma: float = 0.5
    sigma_decay: float = 0.99
    baseline_rate: float = 0.5


MakeAgent = Callable[[PrecisionEnv, DdpgConstants, np.random.Generator, int], OffPolicyAlgorithm]
HAQ = DdpgConstants()


class DdpgSearcher:
    """Proposes policies by stepping the environment with a noisy actor; one trial is one episode.

    The searches of equal seeds are equal, and the global random generators are left alone. Replace
    `env.model`, `env.budget` or `env.harm` and the next `ask` uses the new ones. Rewards should be
    of the order of 1.
    """

    def __init__(
        self,
        graph: Graph,
        choices: Choices,
        model: CostModel,
        budget: float | None = None,
        harm: Harm | None = None,
        constants: DdpgConstants = HAQ,
        seed: int = 0,
        more: Floats | None = None,
        fit: Walk = walk,
        make: MakeAgent | None = None,
    ) -> None:
        """`budget` is in the unit of `model`; None sets none; `more` and `fit` as `PrecisionEnv`.

        `make` makes another agent than HAQ's. Raises PolicyError.
        """
        self.env = PrecisionEnv(
            graph, choices, model, budget, reward=reward_by_tell, harm=harm, more=more, fit=fit
        )
        self.constants = constants
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._agent = (make or make_agent)(self.env, constants, self._rng, seed)
        self._asked = 0
        self._told = 0

    def ask(self, n: int) -> list[Policy]:
        """The next n policies, within the budget. Raises BudgetError if it cannot be met."""
        with one_thread():
            return [self._episode() for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        """Store each trial as an episode; after the warm-up, learn once a transition.

        Trials of other searches are there to be drawn from, but are no occasion to learn: a late
        bound of a sweep would spend more time on those than on its own.

        Raises PolicyError for a policy outside of the choices.
        """
        for trial in trials:
            self._store(trial)
            self._told += 1
            if trial.is_own and self._told > self.constants.warmup:
                with one_thread(), seeded(self._seed + self._told):
                    self._agent.train(len(self.env.choices.steps), self.constants.batch)

    def state(self) -> State:
        """The agent's, counts, the generator, and what the agent sees of the layers.

        Each training seeds torch's generator, so that nothing of it is left between them.
        """
        counts = {"asked": self._asked, "told": self._told}
        values = {"kind": self._kind, "rng": self._rng.bit_generator.state, **counts}
        own = State({"features": self.env.features.copy()}, values)
        return own.with_part("agent", agent_state(self._agent))

    def restore(self, state: State) -> None:
        """Inverse of `state`; the model, budget and harm stay. Raises StateError."""
        state.check_kind(self._kind)
        restore_agent(self._agent, state.part("agent"))
        # They may have been made by costs that were corrected since.
        self.env.features = state.tensors["features"]
        self._rng.bit_generator.state = state.values["rng"]
        self._asked, self._told = state.values["asked"], state.values["told"]

    @property
    def _kind(self) -> str:
        return type(self._agent).__name__

    def _episode(self) -> Policy:
        sigma = noise(self.constants, self._asked)
        self._asked += 1
        observation, _ = self.env.reset()
        done = False
        while not done:
            action = np.array([self._action(observation, sigma)], dtype=np.float32)
            observation, _, done, _, info = self.env.step(action)
        policy: Policy = info["policy"]
        return policy

    def _action(self, observation: Floats, sigma: float | None) -> float:
        if sigma is None:
            return self._rng.random()
        action, _ = self._agent.predict(observation, deterministic=True)
        return truncated_normal(float(action[0]), sigma, self._rng)

    def _store(self, trial: Trial) -> None:
        # Observations and actions are those of the policy that was scored, not of the one that the
        # actor wanted before the budget walk.
        choices = self.env.choices
        seen = observe_episode(self.env.features, choices, choices.widths(trial.policy))
        actions = np.array(choices.actions(trial.policy), dtype=np.float32)
        scaled = self._agent.policy.scale_action(actions)
        assert self._agent.replay_buffer is not None
        for step, action in enumerate(scaled):
            done = np.array([step == len(scaled) - 1])
            reward = np.array([trial.reward])
            self._agent.replay_buffer.add(seen[step], seen[step + 1], action, reward, done, [{}])


def reward_by_tell(policy: Policy) -> float:
    """Not a number: the reward of a policy comes later, with `tell`."""
    return float("nan")


def noise(constants: DdpgConstants, episode: int) -> float | None:
    """Standard deviation of the noise in an episode (from 0); None while actions are uniform."""
    if episode < constants.warmup:
        return None
    return constants.sigma * constants.sigma_decay ** (episode - constants.warmup)


def truncated_normal(mean: float, sigma: float, rng: np.random.Generator) -> float:
    """A draw from the normal distribution cut to [0, 1], by the inverse of its distribution.

    Clipping would heap draws up at 0 and 1. `mean` is in [0, 1] and `sigma` positive.
    """
    normal = NormalDist(mean, sigma)
    share = rng.uniform(normal.cdf(0.0), normal.cdf(1.0))
    inside = min(max(share, 1e-15), 1 - 1e-15)
    return min(max(normal.inv_cdf(inside), 0.0), 1.0)


class TwoRateDdpg(DDPG):
    """DDPG whose actor and critic keep their own learning rates.

    The actor ends in tanh, mapped to [0, 1]: the same family of functions as HAQ's sigmoid.
    """

    def __init__(self, *args: Any, actor_rate: float, critic_rate: float, **kwargs: Any) -> None:
        self.rates = (actor_rate, critic_rate)
        super().__init__(*args, **kwargs)

    def _update_learning_rate(
        self, optimizers: list[torch.optim.Optimizer] | torch.optim.Optimizer
    ) -> None:
        for optimizer, rate in zip(
            (self.actor.optimizer, self.critic.optimizer), self.rates, strict=True
        ):
            update_learning_rate(optimizer, rate)


def make_agent(
    env: PrecisionEnv, constants: DdpgConstants, rng: np.random.Generator, seed: int
) -> TwoRateDdpg:
    """The untrained agent; its initial weights follow from `seed`, its batches from `rng`."""
    with seeded(seed):
        agent = TwoRateDdpg(
            "MlpPolicy",
            env,
            actor_rate=constants.actor_rate,
            critic_rate=constants.critic_rate,
            **shared_arguments(env, constants, rng),
        )
    return quiet(agent)


def shared_arguments(
    env: PrecisionEnv, constants: DdpgConstants, rng: np.random.Generator
) -> dict[str, Any]:
    """What every off-policy agent of stable-baselines3 takes."""
    return {
        "buffer_size": constants.replay * len(env.choices.names),
        "batch_size": constants.batch,
        "tau": constants.tau,
        "gamma": constants.gamma,
        "replay_buffer_class": BaselineReplay,
        "replay_buffer_kwargs": {
            "rng": rng,
            "baseline_rate": constants.baseline_rate,
            "handle_timeout_termination": False,
        },
        "policy_kwargs": {
            "net_arch": list(constants.hidden),
            "optimizer_kwargs": {"betas": constants.betas, "fused": True},
        },
        "device": "cpu",
    }


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's generator at a seed, and as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


AnyAgent = TypeVar("AnyAgent", bound=OffPolicyAlgorithm)


def quiet(agent: AnyAgent) -> AnyAgent:
    """The agent, logging nothing."""
    agent.set_logger(Logger(folder=None, output_formats=[]))
    return agent
