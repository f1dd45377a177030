"""A searcher whose state is saved now and then, so that going on does not begin at the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from haq.search._base import Searcher, Trial
from haq.search.state import State
from haq.store.checkpoints import Checkpoints
from quant.errors import StateError
from quant.policy import Policy

EVERY = 40
"""Episodes from one checkpoint to the next; at worst so many are learned from again."""


class CheckpointedSearcher:
    """Proposes what was proposed before as far as a checkpoint reaches, then goes on.

    It has to be told of what it proposes, in batches as before.
    """

    def __init__(
        self,
        make: Callable[[], Searcher],
        earlier: Sequence[Trial],
        checkpoints: Checkpoints,
        recorded: Sequence[Policy],
        every: int = EVERY,
    ) -> None:
        """A new searcher is told of `earlier` trials, which are of other runs.

        `recorded` are the policies of the trials that the run has already, in their order.
        """
        self._checkpoints, self._recorded, self._every = checkpoints, recorded, every
        self._searcher, self._known = restored(make, checkpoints, len(recorded))
        self._told, self._saved = 0, self._known
        if earlier and not self._known:
            self._searcher.tell(earlier)

    def ask(self, n: int) -> list[Policy]:
        """As the searcher; what a checkpoint knows of is not asked for again."""
        if self._told < self._known:
            return list(self._recorded[self._told : min(self._told + n, self._known)])
        # Not when told: only now all trials that the state knows of are sure to be in the store.
        if self._told >= self._saved + self._every:
            self._checkpoints.put(self._told, self._searcher.state().to_bytes())
            self._saved = self._told
        return self._searcher.ask(n)

    def tell(self, trials: Sequence[Trial]) -> None:
        """As the searcher, unless a checkpoint knows of these."""
        self._told += len(trials)
        if self._told > self._known:
            self._searcher.tell(trials)

    def state(self) -> State:
        """That of the searcher."""
        return self._searcher.state()

    def restore(self, state: State) -> None:
        """Restore the searcher."""
        self._searcher.restore(state)


def restored(
    make: Callable[[], Searcher], checkpoints: Checkpoints, trials: int
) -> tuple[Searcher, int]:
    """A searcher as of the newest sound checkpoint within so many trials, and how many it knows."""
    for episodes, data in checkpoints.newest_first():
        searcher = make()
        with suppress(StateError):
            searcher.restore(State.from_bytes(data))
            if episodes <= trials:
                return searcher, episodes
    return make(), 0
