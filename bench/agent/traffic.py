"""Bytes that 100 policies move once the network is on the board."""

from __future__ import annotations

from typing import Any

from bench.agent.subject import packaged, random_policies
from bench.agent.wire import Wire
from haq.board import Board
from haq.prepare import upload

POLICIES = 100
TARGET_BYTES = 1_000_000


def measure_traffic(url: str, key: str) -> dict[str, Any]:
    """Bytes of the first upload, and of measuring different policies after it, both ways."""
    wire = Wire()
    with Board(url, key, transport=wire) as board:
        upload(packaged()[0], board)
        first = wire.sent_bytes + wire.received_bytes
        board.measure(random_policies(POLICIES), rel_ci=0.5, min_rounds=4, max_rounds=4)
        beyond = wire.sent_bytes + wire.received_bytes - first
    return {
        "policies": POLICIES,
        "first_upload_bytes": first,
        "beyond_bytes": beyond,
        "target_bytes": TARGET_BYTES,
    }
