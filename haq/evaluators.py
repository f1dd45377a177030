"""One evaluator for all policies: each is computed by what is fast and exact for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray

from haq.data import Images
from haq.engine_evaluator import EngineEvaluator, deployed, float_network, simulated
from haq.names import TorchDevice
from haq.prepare import Subject, check_images, quantizer_of
from haq.torch_evaluator import check_device, torch_evaluator
from haq.ways import How, Way, choose_way
from quant.errors import InputError
from quant.evaluate import FakeQuantEvaluator, Metric, Score, Seen, see
from quant.float_net import batch_size
from quant.graph import Floats
from quant.naive import Arithmetic
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.runtime import capabilities as local_capabilities
from quant.policy import Policy, uniform
from quant.quantized import Quantizer

OneWay = EngineEvaluator | FakeQuantEvaluator


def make_evaluator(
    subject: Subject,
    images: Images,
    capabilities: Capabilities,
    arithmetic: Arithmetic,
    how: How = "auto",
    device: TorchDevice = "cpu",
    quantizer: Quantizer | None = None,
    metric: Metric | None = None,
) -> PolicyEvaluator:
    """Evaluator on labelled images, for boards of the given capabilities.

    `quantizer` makes the integers of what is not deployed (the plain one by default). On a GPU
    torch computes everything. Scores have the `metric`, too. Raises DataError where the images do
    not fit the network, InputError for a device that cannot be used.
    """
    check_images(subject.config, images)
    check_device(device)
    used = how_on(device, how)
    here, same16 = local_capabilities(), same_types(capabilities)
    found = quantizer or quantizer_of(subject, arithmetic)
    float_logits = cache(lambda: float_network(subject.network).logits(images))
    makers: dict[Way, Callable[[], OneWay]] = {
        "deployed": lambda: EngineEvaluator(
            deployed(subject, here), images, float_logits(), metric
        ),
        "simulated": lambda: EngineEvaluator(
            simulated(subject.of(arithmetic).network.graph, found), images, float_logits(), metric
        ),
        "torch": lambda: torch_evaluator(
            subject, found, arithmetic, capabilities, images, device, metric
        ),
    }
    choose = partial(choose_way, arithmetic=arithmetic, how=used, same16=same16)
    floats = uniform(subject.network.graph.layer_names, 32, 32)
    # A metric is of all images: they are not split among workers.
    together = len(images) if metric else batch_size(torch.from_numpy(images.pixels))
    return PolicyEvaluator(choose, makers, floats, together, metric)


def runs_here(policy: Policy, capabilities: Capabilities) -> bool:
    """Whether this machine's ncnn can execute a policy as a board of the capabilities does."""
    return choose_way(policy, "ncnn", "auto", same_types(capabilities)) == "deployed"


def same_types(capabilities: Capabilities) -> bool:
    """Whether this machine's ncnn has the 16-bit types of the capabilities."""
    here = local_capabilities()
    return (here.arch, here.bits16) == (capabilities.arch, capabilities.bits16)


def how_on(device: TorchDevice, how: How) -> How:
    """Torch alone on a GPU. Raises InputError where ncnn is asked for there."""
    if device == "cpu":
        return how
    if how == "ncnn":
        raise InputError("--device cuda is for torch: ncnn computes on the CPU")
    return "torch"


class PolicyEvaluator:
    """Scores policies; a way of computing is set up when it is first needed.

    A policy's divergence is from the float network as loaded and as the same engine computes it.
    """

    def __init__(
        self,
        choose: Callable[[Policy], Way],
        makers: Mapping[Way, Callable[[], OneWay]],
        float_policy: Policy,
        batch: int,
        metric: Metric | None = None,
    ) -> None:
        """`choose` names a way or raises PolicyError; `float_policy` has 32 bits everywhere.

        `batch` images are computed together by torch, or for a `metric`.
        """
        self._metric = metric
        self.way, self.batch = choose, batch
        self._makers, self._float_policy = makers, float_policy
        self._made: dict[Way, OneWay] = {}

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return self._evaluator(self._float_policy).float_top1

    @property
    def float_logits(self) -> Floats:
        """Logits (N, classes) of the float network."""
        return self._evaluator(self._float_policy).float_logits

    def logits(self, policy: Policy, rows: NDArray[np.int64] | None = None) -> Floats:
        """Logits (N, classes) under a policy, or those of some rows. Raises PolicyError."""
        return self._evaluator(policy).logits(policy, rows)

    def see(self, policy: Policy, rows: NDArray[np.int64]) -> Seen:
        """What a policy does to some of the images; a metric only of all. Raises PolicyError."""
        evaluator = self._evaluator(policy)
        theirs, labels = evaluator.float_logits[rows], evaluator.labels[rows]
        metric = self._metric if len(rows) == len(evaluator.labels) else None
        return see(evaluator.logits(policy, rows), theirs, labels, metric)

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies. Raises PolicyError."""
        return [self._evaluator(policy).score([policy])[0] for policy in policies]

    def _evaluator(self, policy: Policy) -> OneWay:
        way = self.way(policy)
        if way not in self._made:
            self._made[way] = self._makers[way]()
        return self._made[way]
