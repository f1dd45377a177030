"""Other algorithms of stable-baselines3 in DDPG's place: the environment is a plain one."""

from __future__ import annotations

import numpy as np
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from env.precision_env import PrecisionEnv
from haq.search.searchers.ddpg import DdpgConstants, MakeAgent, quiet, seeded, shared_arguments


def maker(algorithm: type[TD3] | type[SAC]) -> MakeAgent:
    """Makes untrained agents of an algorithm, with the critic's rate for all networks."""

    def make(
        env: PrecisionEnv, constants: DdpgConstants, rng: np.random.Generator, seed: int
    ) -> OffPolicyAlgorithm:
        arguments = shared_arguments(env, constants, rng)
        with seeded(seed):
            agent = algorithm("MlpPolicy", env, learning_rate=constants.critic_rate, **arguments)
        return quiet(agent)

    return make


make_td3 = maker(TD3)
"""Twin delayed DDPG (Fujimoto et al. 2018)."""
make_sac = maker(SAC)
"""Soft actor-critic (Haarnoja et al. 2018)."""
