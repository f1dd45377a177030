"""What measures policies: one board, several alike, or one that is waited for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from haq.board.answers import Device, Latency, Profile, Status
from quant.graph import Floats
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer
from quant.policy import ENGINE_BITS, Policy

Tell = Callable[[str], None]
"""Takes a line about what is waited for; it may be called from other threads."""


def silent(text: str) -> None:
    """Tell nobody."""


class AnyBoard(Protocol):
    """Measures policies; the options of each call are those of `Board`."""

    @property
    def is_here(self) -> bool:
        """Whether it is this machine, whose other work changes what it measures."""

    def describe(self) -> Device:
        """What the board is."""

    def capabilities(self) -> Capabilities:
        """What its ncnn really computes in 16 bits."""

    def upload(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> str:
        """Give it a float network, which later calls use; returns the network's id."""

    def measure(self, policies: Sequence[Policy], *args: Any, **how: Any) -> list[Latency]:
        """Latencies in the order of the policies."""

    def profile(
        self,
        layers: Sequence[str] | None = None,
        bits: Sequence[int] = ENGINE_BITS,
        *args: Any,
        **how: Any,
    ) -> Profile:
        """Isolated latencies of layers (None: all) and of each with its direct producer."""

    def infer(self, policies: Sequence[Policy], images: NDArray[np.uint8]) -> Floats:
        """Logits (policies, N, classes) of images (N, C, H, W)."""


class OneBoard(AnyBoard, Protocol):
    """A single board, of several perhaps."""

    @property
    def url(self) -> str:
        """Where it is; no two boards have the same."""

    def status(self) -> Status:
        """How it is at the moment. Raises BoardLostError."""

    def close(self) -> None:
        """Give the board back."""
