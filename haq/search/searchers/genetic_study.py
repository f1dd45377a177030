"""A study of optuna by NSGA-II: its state is that of its trials and of its generators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.random import RandomState
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution
from optuna.samplers import NSGAIISampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from env.actions import Step
from haq.search.state import State
from quant.errors import StateError


class GeneticStudy:
    """Breeds widths, one a step, for the least of a value; its trials are numbered from 0."""

    def __init__(self, steps: Sequence[Step], population: int, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._genes = {
            f"{index} {step.layer}": CategoricalDistribution(step.widths)
            for index, step in enumerate(steps)
        }
        self._population, self._seed = population, seed
        self._begin()

    def breed(self) -> tuple[int, list[int]]:
        """The number of a new trial, and its widths."""
        trial = self._study.ask(dict(self._genes))
        return trial.number, self._widths(trial.params)

    def tell(self, number: int, value: float) -> None:
        """Let a trial into the population."""
        self._study.tell(number, value)

    def state(self) -> State:
        """All trials, also those that were not told yet; whose parents are whose; generators."""
        trials = self._study.get_trials(deepcopy=False)
        values = {
            "trials": [fate(trial) for trial in trials],
            "parents": dict(self._storage.get_study_system_attrs(self._id)),
            "generators": [generator_state(one) for one in self._generators],
        }
        return State({"widths": self._rows(trials)}, values)

    def restore(self, state: State) -> None:
        """Inverse of `state`. Raises StateError for that of other steps."""
        rows = state.tensors["widths"]
        if rows.shape[1] != len(self._genes):
            raise StateError("the state is that of a search with other choices")
        self._begin()
        for row, values in zip(rows.tolist(), state.values["trials"], strict=True):
            self._study.add_trial(self._trial(row, values))
        for name, trials in state.values["parents"].items():
            self._storage.set_study_system_attr(self._id, name, trials)
        for generator, saved in zip(self._generators, state.values["generators"], strict=True):
            generator.set_state(saved)

    def _begin(self) -> None:
        """An empty study, whose storage numbers trials as the study does."""
        self._sampler = NSGAIISampler(seed=self._seed, population_size=self._population)
        self._storage = InMemoryStorage()
        self._study = optuna.create_study(storage=self._storage, sampler=self._sampler)
        self._id = self._storage.get_study_id_from_name(self._study.study_name)

    @property
    def _generators(self) -> tuple[RandomState, RandomState]:
        return self._sampler._rng.rng, self._sampler._random_sampler._rng.rng

    def _widths(self, params: Mapping[str, Any]) -> list[int]:
        return [params[name] for name in self._genes]

    def _rows(self, trials: Sequence[FrozenTrial]) -> NDArray[np.uint8]:
        rows = [self._widths(trial.params) for trial in trials]
        return np.array(rows, dtype=np.uint8).reshape(-1, len(self._genes))

    def _trial(self, widths: Sequence[int], values: Mapping[str, Any]) -> FrozenTrial:
        return create_trial(
            state=TrialState[values["state"]],
            value=values["value"],
            params=dict(zip(self._genes, widths, strict=True)),
            distributions=dict(self._genes),
            system_attrs=values["attributes"],
        )


def fate(trial: FrozenTrial) -> dict[str, Any]:
    """What came of a trial, and its generation."""
    return {"state": trial.state.name, "value": trial.value, "attributes": trial.system_attrs}


def generator_state(generator: RandomState) -> dict[str, Any]:
    """A generator's state as JSON."""
    found = generator.get_state(legacy=False)
    assert isinstance(found, dict)
    return {**found, "state": {**found["state"], "key": found["state"]["key"].tolist()}}
