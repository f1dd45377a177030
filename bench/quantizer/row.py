"""A line of the results: one policy by one method."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.evaluate import compare
from quant.graph import Floats


@dataclass(frozen=True)
class Row:
    """One policy by one method; `loss` in points of top-1 against float, with its standard error.

    The error is that of the paired difference; `seconds` is the time to quantize.
    """

    method: str
    policy: str
    top1: float
    loss: float
    loss_error: float
    kl: float
    agreement: float
    seconds: float


def describe(
    method: str,
    policy: str,
    found: Floats,
    wanted: Floats,
    labels: NDArray[np.int64],
    seconds: float = 0.0,
) -> dict[str, Any]:
    """The row of logits (N, classes) beside those of the float network."""
    score = compare(found, wanted, labels)
    lost = np.equal(wanted.argmax(1), labels) * 1.0 - np.equal(found.argmax(1), labels)
    error = 100 * float(lost.std(ddof=1)) / len(lost) ** 0.5
    row = Row(
        method,
        policy,
        score.top1,
        round(100 * float(lost.mean()), 2),
        round(error, 2),
        score.kl,
        score.agreement,
        round(seconds, 1),
    )
    return asdict(row)
