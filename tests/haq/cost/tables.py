"""Tables of latencies: HAQ's public one where it lies beside the project, and made ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from haq.board import profile_to_json
from tests.haq.simulated_board import SimulatedBoard

SHARED = Path(__file__).parents[4] / "shared" / "data"
PUBLISHED: list[list[int]] = json.loads(
    (Path(__file__).parents[3] / "bench" / "search" / "haq_strategy.json").read_text()
)
"""HAQ's strategy for 0.6 of the latency of its table, from its README (Wang et al. 2019)."""


def public_table() -> Path:
    """HAQ's table of MobileNetV2; skips the test where it is not there."""
    path = SHARED / "latency" / "haq_bismo_mbv2_53x8x8.npy"
    if not path.is_file():
        pytest.skip(f"HAQ's public table is not at {path}")
    return path


def write_table(path: Path, layers: int, seed: int = 0) -> Path:
    """Random costs, which mostly rise with the bits."""
    rng = np.random.default_rng(seed)
    widths = np.arange(1, 9)
    ideal = 100.0 * (widths[:, None] + 2 * widths[None, :])
    np.save(path, rng.uniform(0.8, 1.2, (layers, 8, 8)) * ideal)
    return path


def write_profile(path: Path, names: Sequence[str]) -> Path:
    """What `haq profile` writes for a simulated board."""
    board = SimulatedBoard()
    board.names = tuple(names)
    path.write_text(json.dumps(profile_to_json(board.profile(names))))
    return path
