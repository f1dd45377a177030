"""Evaluators that other processes can make."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from haq.evaluators import PolicyEvaluator, make_evaluator
from haq.parallel import Rows
from quant.errors import InputError, PolicyError
from quant.evaluate import Seen, see
from quant.graph import Floats
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.runtime import capabilities
from quant.policy import Policy
from tests.haq.search.doubles import tied
from tests.haq.subjects import cropped, small_subject

IMAGES, CLASSES = 160, 4
REFUSED, FATAL, ALWAYS_FATAL = tied(2, 2, 2), tied(3, 3, 3), tied(4, 4, 4)


@dataclass(frozen=True)
class Arithmetic:
    """Noise that every policy adds to random logits.

    `REFUSED` raises PolicyError, `FATAL` ends its process the first time that it is asked for, as
    long as `folder` says that it has not yet, and `ALWAYS_FATAL` every time.
    """

    folder: Path
    seconds: float = 0.0
    batch: int = 1

    @cached_property
    def float_logits(self) -> Floats:
        return np.random.default_rng(0).normal(size=(IMAGES, CLASSES)).astype(np.float32)

    @property
    def labels(self) -> Rows:
        return np.random.default_rng(2).integers(CLASSES, size=IMAGES)

    def see(self, policy: Policy, rows: Rows) -> Seen:
        if policy == REFUSED:
            raise PolicyError("these bits are refused")
        if policy == ALWAYS_FATAL or (policy == FATAL and self.is_first()):
            os.kill(os.getpid(), signal.SIGKILL)
        self.note(policy)
        time.sleep(self.seconds)
        noise = np.random.default_rng(int(policy.key()[:8], 16)).normal(size=(IMAGES, CLASSES))
        logits = (self.float_logits + noise / 3).astype(np.float32)
        return see(logits[rows], self.float_logits[rows], self.labels[rows])

    def is_first(self) -> bool:
        """Whether this has not been asked before, by any process."""
        try:
            (self.folder / "asked").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def note(self, policy: Policy) -> None:
        """Append to the file of this process."""
        with (self.folder / f"{os.getpid()}.log").open("a") as file:
            file.write(policy.key() + "\n")


def small_maker(own16: bool) -> Callable[[], PolicyEvaluator]:
    """Makes evaluators of the small network on 120 images; 16 bits may be torch's."""
    able = capabilities() if own16 else Capabilities("arm", "fp16", frozenset({"Convolution"}))
    return partial(make_evaluator, small_subject(), cropped("test", 120), able, "ncnn")


class Deviating(Arithmetic):
    """Computes other float logits in every process."""

    @cached_property
    def float_logits(self) -> Floats:
        return np.full((IMAGES, CLASSES), os.getpid(), np.float32)


def make_once(folder: Path) -> Arithmetic:
    """Works in the first process alone."""
    evaluator = Arithmetic(folder)
    if not evaluator.is_first():
        raise InputError("no such file: weights")
    return evaluator
