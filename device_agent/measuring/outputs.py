"""Outputs: finite, and the same while timing as in the evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from quant.errors import BoardError
from quant.graph import Floats


class Outputs:
    """Compares the output of every timed run that is shown with the one of the evaluation."""

    def __init__(self, expected: Sequence[Floats]) -> None:
        """`expected` are the evaluation's outputs. Raises BoardError where one is not finite."""
        self.expected = [require_finite(output) for output in expected]
        self.checked = [0] * len(self.expected)
        self.differing = [0] * len(self.expected)

    def inspect(self, index: int, output: object) -> None:
        """Take note of an output of network `index`."""
        self.checked[index] += 1
        self.differing[index] += not np.array_equal(np.asarray(output), self.expected[index])

    def require_equal(self) -> None:
        """Raise BoardError if a timed network ever gave something else."""
        if any(self.differing):
            raise BoardError("while being timed a network gave another output than in evaluation")


def require_finite(output: Floats) -> Floats:
    """The output. Raises BoardError where a number in it is not finite."""
    if not np.isfinite(output).all():
        raise BoardError("the network's output is not finite")
    return output


def checksum(output: Floats) -> str:
    """SHA-256 of an output as little-endian float32."""
    return hashlib.sha256(np.ascontiguousarray(output, dtype="<f4").tobytes()).hexdigest()
