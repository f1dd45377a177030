"""Who evaluates the policies of a search, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from haq.names import TorchDevice
from quant.errors import InputError

if TYPE_CHECKING:
    from haq.parallel import Make, StartWorkers, Workers


@dataclass(frozen=True)
class Crew:
    """This process, `count` processes of this machine, or `count` actors of a Ray cluster.

    None stands for one here, and for every core of a cluster.
    """

    count: int | None = None
    ray: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether this process alone evaluates."""
        return self.ray is None and self.count in (None, 1)


def check_crew(crew: Crew, device: TorchDevice) -> None:
    """Raise InputError where several processes would share a GPU: batches decide last digits."""
    if device != "cpu" and not crew.is_here:
        raise InputError("--device cuda: one process feeds the GPU, leave out --workers and --ray")


@contextmanager
def open_workers(crew: Crew, tell: Callable[[str], None]) -> Iterator[StartWorkers]:
    """What starts workers; they end with the context. Raises InputError without a cluster."""
    from haq.parallel.cluster import connected

    with ExitStack() as stack:
        if crew.ray is not None:
            stack.enter_context(connected(crew.ray))
        yield lambda make: stack.enter_context(closing(make_workers(crew, make, tell)))


def make_workers(crew: Crew, make: Make, tell: Callable[[str], None]) -> Workers:
    """Workers that hold what `make` makes; `tell` hears of those that are lost."""
    from haq.parallel import LocalWorkers
    from haq.parallel.pool import PoolWorkers

    if crew.ray is not None:
        from haq.parallel.ray_workers import RayWorkers

        return RayWorkers(make, crew.count, tell)
    if crew.is_here or crew.count is None:
        return LocalWorkers(make)
    return PoolWorkers(make, crew.count, tell)
