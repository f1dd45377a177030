"""Other algorithms of stable-baselines3 in DDPG's place: the environment is a plain one."""

from __future__ import annotations

import numpy as np
from stable_baselines3 import SAC, TD3

from env.precision_env import PrecisionEnv
from haq.search.searchers.ddpg import DdpgConstants, quiet, seeded, shared_arguments


def make_td3(
    env: PrecisionEnv, constants: DdpgConstants, rng: np.random.Generator, seed: int
) -> TD3:
    """TD3 (Fujimoto et al. 2018) with the critic's rate for both networks."""
    with seeded(seed):
        arguments = shared_arguments(env, constants, rng)
        agent = TD3("MlpPolicy", env, learning_rate=constants.critic_rate, **arguments)
    return quiet(agent)


def make_sac(
    env: PrecisionEnv, constants: DdpgConstants, rng: np.random.Generator, seed: int
) -> SAC:
    """Soft actor-critic (Haarnoja et al. 2018) with the critic's rate for all networks."""
    with seeded(seed):
        arguments = shared_arguments(env, constants, rng)
        agent = SAC("MlpPolicy", env, learning_rate=constants.critic_rate, **arguments)
    return quiet(agent)
