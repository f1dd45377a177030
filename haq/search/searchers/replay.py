"""What an agent learns from: transitions, and the moving average of their rewards."""

from __future__ import annotations

from typing import Any

import numpy as np
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from haq.search.state import State
from quant.errors import StateError

COLUMNS = ("observations", "next_observations", "actions", "rewards", "dones")


class BaselineReplay(ReplayBuffer):
    """Replay whose samples have the moving average of the batches' mean rewards subtracted.

    Without this baseline the value of a state would mostly say how many steps are left, as every
    step of an episode earns the same reward and nothing is discounted.
    """

    def __init__(
        self, *args: Any, rng: np.random.Generator, baseline_rate: float, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rng = rng
        self.baseline_rate = baseline_rate
        self.baseline: float | None = None

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """A batch drawn with replacement, its rewards relative to the updated baseline."""
        rows = self.rng.integers(self.size(), size=batch_size)
        samples = self._get_samples(rows, env)
        mean = float(samples.rewards.mean())
        old = mean if self.baseline is None else self.baseline
        self.baseline = old + self.baseline_rate * (mean - old)
        return samples._replace(rewards=samples.rewards - self.baseline)

    def state(self) -> State:
        """The filled part, where it goes on, and the baseline; the generator is the owner's."""
        tensors = {name: getattr(self, name)[: self.size()].copy() for name in COLUMNS}
        values = {"pos": self.pos, "full": self.full, "baseline": self.baseline}
        return State(tensors, {**values, "capacity": self.buffer_size})

    def restore(self, state: State) -> None:
        """Inverse of `state`. Raises StateError for that of a replay of another capacity."""
        if state.values["capacity"] != self.buffer_size:
            raise StateError("the state is that of an agent on another problem")
        self.pos, self.full = state.values["pos"], state.values["full"]
        self.baseline = state.values["baseline"]
        for name in COLUMNS:
            getattr(self, name)[: self.size()] = state.tensors[name]
