"""Small searches, what they leave, and what they run on images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from haq.cost import parse_budget
from haq.evaluators import PolicyEvaluator
from haq.search.request import SearchRequest
from quant.evaluate import Score, Seen
from quant.policy import Policy
from tests.haq.search.test_request import REQUEST
from tests.haq.subjects import SMALL, cropped, write_images, write_small_weights


def small_request(folder: Path, images: int = 20, **changes: Any) -> SearchRequest:
    """Bits 8 and 32 of the small network; weights and images are written to the folder.

    Of 20 images ten are searched on and eight are tested on.
    """
    request = replace(
        REQUEST,
        weights=write_small_weights(folder / "weights.safetensors"),
        input_size=SMALL.input_size,
        data=str(write_images(folder / "images", cropped("test", images))),
        observer="absmax",
        budget=(parse_budget("latency=0.9x"),),
        bits=(8, 32),
    )
    return replace(request, **changes)


def trials(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]


def same_run(one: Path, other: Path) -> bool:
    """Whether two folders hold the same result."""
    names = ("policy.json", "trials.jsonl", "mbv2.ncnn.param", "mbv2.ncnn.bin", "mbv2.onnx")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def stop_evaluation(monkeypatch: pytest.MonkeyPatch, stop_at: int) -> list[str]:
    """Interrupt the run of a policy with this number, from 1; what is asked for is noted."""
    score, see = PolicyEvaluator.score, PolicyEvaluator.see
    asked: list[str] = []

    def note(policy: Policy, rows: Sequence[int]) -> None:
        asked.append(f"{policy.key()} {list(rows)}")
        if len(asked) == stop_at:
            raise KeyboardInterrupt

    def scoring(self: PolicyEvaluator, policies: Sequence[Policy]) -> list[Score]:
        for policy in policies:
            note(policy, [])
        return score(self, policies)

    def seeing(self: PolicyEvaluator, policy: Policy, rows: NDArray[np.int64]) -> Seen:
        note(policy, rows.tolist())
        return see(self, policy, rows)

    monkeypatch.setattr(PolicyEvaluator, "score", scoring)
    monkeypatch.setattr(PolicyEvaluator, "see", seeing)
    return asked
