"""Several boards of one kind behind the methods of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack
from functools import cached_property, partial
from itertools import pairwise
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from haq.board._base import OneBoard, Tell, silent
from haq.board.agreement import LIMITS, check_kinds, controls, largest_deviation
from haq.board.answers import Device, Latency, Profile, Status
from haq.board.parallel import start
from quant.errors import BoardBusyError, BoardError, BoardLostError, InputError
from quant.graph import Floats
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer
from quant.policy import ENGINE_BITS, Policy

PASSING = (BoardLostError, BoardBusyError)
"""Errors of one board that the others can make up for."""
T = TypeVar("T")
R = TypeVar("R")


class Fleet:
    """Splits work over boards; what a lost board had to do is done by the others."""

    def __init__(self, boards: Sequence[OneBoard], tell: Tell = silent) -> None:
        """`tell` hears of lost boards and of how well the boards agree.

        Raises InputError for a board that is there twice.
        """
        if len({board.url for board in boards}) < len(boards):
            raise InputError("a board is named twice: give each one once")
        self._boards, self._tell = tuple(boards), tell
        self._lost: dict[OneBoard, Future[Status]] = {}

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        with ExitStack() as stack:
            for board in self._boards:
                stack.callback(board.close)

    @property
    def is_here(self) -> bool:
        """Whether one of the boards is this machine."""
        return any(board.is_here for board in self._boards)

    def describe(self) -> Device:
        """What the boards are. Raises InputError unless all are of one kind."""
        return self._device

    @cached_property
    def _device(self) -> Device:
        devices = self._everywhere(lambda board: board.describe())
        check_kinds(devices)
        return devices[self._boards[0].url]

    def capabilities(self) -> Capabilities:
        """What the boards' ncnn really computes in 16 bits."""
        return self.describe().capabilities()

    def upload(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> str:
        """Give all boards a float network, and have all measure the same control policies.

        Raises BoardError where their ratios differ by more than noise explains.
        """
        self.describe()
        ids = self._everywhere(lambda board: board.upload(layers, ranges, input_shape))
        self._compare([layer.name for layer in layers if layer.is_weighted])
        return ids[self._boards[0].url]

    def measure(
        self, policies: Sequence[Policy], *, together: bool = False, **how: Any
    ) -> list[Latency]:
        """Latencies in the order of the policies, each a ratio to its own board's float network.

        `together` has one board measure all of them, so that they can be compared most closely;
        `how` is as in `Board.measure`.
        """
        if together:
            return self._on_one(lambda board: board.measure(policies, together=True, **how))
        return self._share(policies, lambda board, some: board.measure(some, **how))

    def profile(
        self, layers: Sequence[str] | None = None, bits: Sequence[int] = ENGINE_BITS, **how: Any
    ) -> Profile:
        """As `Board.profile`, on one board."""
        return self._on_one(lambda board: board.profile(layers, bits, **how))

    def infer(self, policies: Sequence[Policy], images: NDArray[np.uint8]) -> Floats:
        """As `Board.infer`, with the images split over the boards."""

        def infer(board: OneBoard, some: Sequence[int]) -> list[Floats]:
            return list(board.infer(policies, images[np.array(some)]).swapaxes(0, 1))

        return np.stack(self._share(range(len(images)), infer), axis=1)

    def _compare(self, names: Sequence[str]) -> None:
        policies = controls(names)
        asked = list(policies.values())
        found = self._everywhere(lambda board: board.measure(asked, **LIMITS))
        largest = largest_deviation(list(policies), found)
        self._tell(f"the ratios of {len(self._boards)} boards differ {largest}")

    def _everywhere(self, call: Callable[[OneBoard], T]) -> dict[str, T]:
        """What every board answers, by its URL; none may be missing."""
        running = {board.url: start(partial(call, board)) for board in self._boards}
        return {url: future.result() for url, future in running.items()}

    def _on_one(self, call: Callable[[OneBoard], T]) -> T:
        """What the first board answers that is there."""
        boards = self._present()
        while True:
            try:
                return call(boards[0])
            except PASSING as error:
                self._lose(boards[0], error, boards)

    def _share(
        self, items: Sequence[T], work: Callable[[OneBoard, Sequence[T]], Sequence[R]]
    ) -> list[R]:
        """Results in the order of the items, split over the boards that are there."""
        boards, found = self._present(), dict[int, R]()
        while missing := [i for i in range(len(items)) if i not in found]:
            shares = deal(missing, boards)
            running = {b: start(partial(work, b, [items[i] for i in s])) for b, s in shares.items()}
            wait(running.values())
            for board, share in shares.items():
                try:
                    found.update(zip(share, running[board].result(), strict=True))
                except PASSING as error:
                    self._lose(board, error, boards)
        return [found[i] for i in range(len(items))]

    def _present(self) -> list[OneBoard]:
        """Boards that are not lost, or have come back; all where none is left."""
        for board, answer in list(self._lost.items()):
            if answer.done():
                self._look_again(board, answer)
        if len(self._lost) == len(self._boards):
            self._lost.clear()
        return [board for board in self._boards if board not in self._lost]

    def _look_again(self, board: OneBoard, answer: Future[Status]) -> None:
        if answer.exception() is None:
            del self._lost[board]
            self._tell(f"{board.url} is back")
        else:
            self._lost[board] = start(board.status)

    def _lose(self, board: OneBoard, error: BoardError, boards: list[OneBoard]) -> None:
        """Take a board off those at work. Raises BoardLostError where it was the last one."""
        boards.remove(board)
        self._lost[board] = start(board.status)
        if not boards:
            raise BoardLostError(f"all boards are lost, at last: {error}") from None
        self._tell(f"{error}; the other boards do its share")


def deal(items: Sequence[T], boards: Sequence[OneBoard]) -> dict[OneBoard, Sequence[T]]:
    """Contiguous shares of equal size, as far as that goes; none is empty."""
    ends = [round(len(items) * i / len(boards)) for i in range(len(boards) + 1)]
    shares = (items[a:b] for a, b in pairwise(ends))
    return {board: share for board, share in zip(boards, shares, strict=True) if share}
