"""A board that belongs to a Ray cluster: a resource of the machine that reaches it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayError, RayTaskError

from haq import boards
from haq.board import Board, Device, Latency, Profile, Status
from haq.parallel.cluster import resources
from quant.errors import BoardLostError
from quant.graph import Floats
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer
from quant.policy import ENGINE_BITS, Policy

LOOK_EVERY_S = 10.0
Open = Callable[[], Board]


def resource_of(name: str) -> str:
    """What the one machine that reaches a board offers, once."""
    return f"board:{name}"


def has_board(name: str) -> bool:
    """Whether a machine of the cluster offers a board."""
    return resource_of(name) in resources()


def open_listed(name: str) -> Board:
    """On the machine that reaches a board: as its own list has it. Raises InputError."""
    return boards.find(boards.load(boards.list_file()), name).open(os.environ.get("HAQ_AGENT_KEY"))


def ask(open_board: Open, network: Sequence[Any], question: Callable[[Board], Any]) -> Any:
    """On the machine that reaches a board: give it the network if there is one, and ask."""
    with open_board() as board:
        if network:
            board.upload(*network)
        return question(board)


class RayBoard:
    """Asks a board from the machine of the cluster that reaches it.

    Every question claims the board as a resource, so that searches on one cluster take turns. Keys
    and addresses stay where they are: that machine has them in its own list of boards.
    """

    def __init__(self, name: str, open_board: Open | None = None) -> None:
        """Of the cluster that this process is connected to; `open_board` runs on that machine."""
        self.url, self._name = resource_of(name), name
        self._open = open_board or partial(open_listed, name)
        self._task: Any = ray.remote(num_cpus=0, resources={self.url: 1}, max_retries=0)(ask)
        self._network: Any = ()

    @cached_property
    def is_here(self) -> bool:
        """Whether the board is the machine that asks it: others evaluate there, too."""
        return bool(self._ask(attrgetter("is_here")))

    def close(self) -> None:
        """Nothing is held between two questions."""

    def describe(self) -> Device:
        """What the board is; asked once."""
        return self._device

    @cached_property
    def _device(self) -> Device:
        found: Device = self._ask(methodcaller("describe"))
        return found

    def capabilities(self) -> Capabilities:
        """What the board's ncnn really computes in 16 bits."""
        return self.describe().capabilities()

    def status(self) -> Status:
        """How the board is at the moment."""
        found: Status = self._ask(methodcaller("status"))
        return found

    def upload(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> str:
        """As `Board.upload`; the network is kept for later questions, too."""
        network = layers, ranges, input_shape
        found: str = self._ask(methodcaller("upload", *network))
        self._network = ray.put(network)
        return found

    def measure(self, policies: Sequence[Policy], **how: Any) -> list[Latency]:
        """As `Board.measure`."""
        found: list[Latency] = self._ask(methodcaller("measure", policies, **how))
        return found

    def profile(
        self, layers: Sequence[str] | None = None, bits: Sequence[int] = ENGINE_BITS, **how: Any
    ) -> Profile:
        """As `Board.profile`."""
        found: Profile = self._ask(methodcaller("profile", layers, bits, **how))
        return found

    def infer(self, policies: Sequence[Policy], images: NDArray[np.uint8]) -> Floats:
        """As `Board.infer`."""
        found: Floats = self._ask(methodcaller("infer", policies, images))
        return found

    def _ask(self, question: Callable[[Board], Any]) -> Any:
        """What the board answers. Raises its errors, BoardLostError where its machine is lost."""
        answer = self._task.remote(self._open, self._network, question)
        try:
            while not ray.wait([answer], timeout=LOOK_EVERY_S)[0]:
                if not has_board(self._name):
                    ray.cancel(answer)
                    raise BoardLostError(f"no machine of the Ray cluster offers {self.url}")
            return ray.get(answer)
        except RayTaskError as error:
            raise error.cause from None
        except RayError:
            raise BoardLostError(f"the machine that reaches {self.url} was lost") from None
