"""Scores of policies as this machine's ncnn computes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from haq.data import Images
from haq.engines import run_engines
from haq.export import bits16_of, ncnn_layers
from haq.prepare import Subject
from quant.evaluate import Labels, Metric, Score, check_labels, compare, shares_right
from quant.graph import Floats, Graph, Network
from quant.ncnn.build import dump, float_layers
from quant.ncnn.capabilities import Bits16, Capabilities
from quant.ncnn.runtime import Engine
from quant.ncnn.simulate import simulated_layers
from quant.policy import Policy
from quant.quantized import Quantizer


@dataclass(frozen=True)
class Loadable:
    """A network as ncnn loads it: text of its `.param`, bytes of its `.bin`, its 16-bit type."""

    param: str
    weights: bytes
    bits16: Bits16 = "none"

    def load(self) -> Engine:
        """An engine of one thread. Raises FormatError."""
        return Engine.from_memory(self.param, self.weights, self.bits16)

    def logits(self, images: Images, rows: NDArray[np.int64] | None = None) -> Floats:
        """Logits (N, classes) of images, or of some rows of them, computed on all cores."""
        return run_engines(self.load, images.pixels if rows is None else images.pixels[rows])


MakeNetwork = Callable[[Policy], Loadable]
KEPT_NETWORKS = 8
"""A batch of a search, whose policies take turns on a few images at a time."""


def float_network(network: Network) -> Loadable:
    """The float network."""
    return Loadable(*dump(float_layers(network)))


def deployed(subject: Subject, capabilities: Capabilities) -> MakeNetwork:
    """Makes the networks that are exported: 8, 16 and 32 bits, for this machine's capabilities.

    What it makes raises PolicyError where ncnn cannot run a policy.
    """

    def make(policy: Policy) -> Loadable:
        layers = ncnn_layers(subject, policy, capabilities)
        return Loadable(*dump(layers), bits16_of(policy, capabilities))

    return make


def simulated(graph: Graph, quantizer: Quantizer) -> MakeNetwork:
    """Makes networks that compute a quantizer's integers in float32: any bits, but no 16.

    What it makes raises PolicyError where a policy does not fit the graph.
    """

    def make(policy: Policy) -> Loadable:
        policy.check_names(graph.layer_names)
        return Loadable(*dump(simulated_layers(graph, quantizer.layers(policy))))

    return make


class EngineEvaluator:
    """Scores policies on fixed images; only their uint8 pixels stay in memory."""

    def __init__(
        self,
        make: MakeNetwork,
        images: Images,
        float_logits: Floats,
        metric: Metric | None = None,
    ) -> None:
        """`float_logits` (N, classes) are those of the float network in ncnn.

        Raises DataError where the labels of the images do not fit these.
        """
        check_labels(float_logits, images.labels)
        self._make = lru_cache(KEPT_NETWORKS)(make)
        self._images, self.float_logits, self._metric = images, float_logits, metric

    @property
    def labels(self) -> Labels:
        """Those of the images."""
        return self._images.labels

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float(shares_right(self.float_logits, self.labels).mean())

    def logits(self, policy: Policy, rows: NDArray[np.int64] | None = None) -> Floats:
        """Logits (N, classes) under a policy, or those of some rows. Raises PolicyError."""
        return self._make(policy).logits(self._images, rows)

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies. Raises PolicyError."""
        given = self.float_logits, self.labels, self._metric
        return [compare(self.logits(policy), *given) for policy in policies]
