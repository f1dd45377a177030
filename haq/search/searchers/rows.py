"""Policies as rows of widths: small enough to be kept by the thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from env.actions import Choices
from quant.errors import PolicyError, StateError
from quant.policy import Policy


def to_rows(policies: Sequence[Policy], choices: Choices) -> NDArray[np.uint8]:
    """The width of every step, (policies, steps). Raises PolicyError."""
    rows = [choices.widths(policy) for policy in policies]
    return np.array(rows, dtype=np.uint8).reshape(-1, len(choices.steps))


def to_policies(rows: NDArray[Any], choices: Choices) -> list[Policy]:
    """Inverse of `to_rows`. Raises StateError for rows of other choices."""
    try:
        policies = [choices.policy(row) for row in rows.tolist()]
        to_rows(policies, choices)
    except (PolicyError, ValueError):
        raise StateError("the state is that of a search with other choices") from None
    return policies
