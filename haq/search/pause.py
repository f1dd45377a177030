"""A board that may go away for a while: the search stands still until it answers again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from haq.board import AnyBoard, Device, Latency, Profile
from quant.errors import BoardBusyError, BoardError, BoardLostError
from quant.graph import Floats
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer
from quant.policy import ENGINE_BITS, Policy

ASK_EVERY_S = 5.0
T = TypeVar("T")


class PatientBoard:
    """Asks a lost or busy board the same again and again, for a limited time.

    Only the call that was lost is repeated; the board's client sends the network again where the
    board has lost that, too. What the board is has to be answered at once: without a first answer
    there is nothing to wait for.
    """

    def __init__(
        self,
        board: AnyBoard,
        patience_s: float,
        tell: Callable[[str], None],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience_s` bounds each pause; 0 is none. `tell` hears of pauses and of their end."""
        self._board, self._patience_s, self._tell = board, patience_s, tell
        self._sleep, self._clock = sleep, clock

    @property
    def is_here(self) -> bool:
        """As the board is."""
        return self._board.is_here

    def describe(self) -> Device:
        """As the board does."""
        return self._board.describe()

    def capabilities(self) -> Capabilities:
        """As the board does."""
        return self._board.capabilities()

    def upload(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> str:
        """As the board does, with patience."""
        return self._wait_for(partial(self._board.upload, layers, ranges, input_shape))

    def measure(self, policies: Sequence[Policy], **how: Any) -> list[Latency]:
        """As the board does, with patience."""
        return self._wait_for(partial(self._board.measure, policies, **how))

    def profile(
        self, layers: Sequence[str] | None = None, bits: Sequence[int] = ENGINE_BITS, **how: Any
    ) -> Profile:
        """As the board does, with patience."""
        return self._wait_for(partial(self._board.profile, layers, bits, **how))

    def infer(self, policies: Sequence[Policy], images: NDArray[np.uint8]) -> Floats:
        """As the board does, with patience."""
        return self._wait_for(partial(self._board.infer, policies, images))

    def _wait_for(self, call: Callable[[], T]) -> T:
        """What the call returns. Raises its last BoardLostError or BoardBusyError."""
        try:
            return call()
        except (BoardLostError, BoardBusyError) as error:
            if self._patience_s <= 0:
                raise
            return self._pause(call, error)

    def _pause(self, call: Callable[[], T], error: BoardError) -> T:
        give_up = self._clock() + self._patience_s
        self._tell(f"paused: {error}; asking again for {self._patience_s / 60:g} min")
        while True:
            self._sleep(ASK_EVERY_S)
            try:
                found = call()
            except (BoardLostError, BoardBusyError):
                if self._clock() >= give_up:
                    raise
            else:
                self._tell("the board answers again: going on")
                return found
