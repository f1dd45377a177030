"""Sharing the weights of a subject: clusters by importance, centroids trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from haq.data import Images
from haq.prepare import Subject, to_tensor
from haq.progress import Progress
from quant.centroids import CentroidRecipe, finetune_centroids
from quant.evaluate import Logits, Metric, Score, compare, run_batches, shares_right
from quant.float_net import FloatNet
from quant.graph import Network
from quant.importance import measure_importance
from quant.kmeans import KMeansQuantizer
from quant.policy import Policy
from quant.shared import SharedLayers, to_network


def kmeans_quantizer(subject: Subject, calibration: Images) -> KMeansQuantizer:
    """K-means weighed by what an error of each weight costs on unlabelled images."""
    importance = measure_importance(subject.network, to_tensor(calibration))
    return KMeansQuantizer(subject.network, importance)


def finetune(
    subject: Subject,
    shared: SharedLayers,
    calibration: Images,
    progress: Progress,
    recipe: CentroidRecipe | None = None,
) -> SharedLayers:
    """Shared layers with centroids and biases trained on unlabelled images."""
    used = recipe or CentroidRecipe()
    progress.start("finetuning of centroids", used.epochs)
    images = to_tensor(calibration)
    for done in finetune_centroids(subject.network, shared, images, used):
        progress.advance(f"KL {done.kl:.2g}")
        shared = done.layers
    return shared


class TunedEvaluator:
    """Scores policies of shared weights after their centroids were finetuned."""

    def __init__(
        self,
        subject: Subject,
        sharing: KMeansQuantizer,
        calibration: Images,
        images: Images,
        progress: Progress,
        recipe: CentroidRecipe | None = None,
        metric: Metric | None = None,
    ) -> None:
        """Finetunes on unlabelled `calibration`, scores on labelled `images`, all in float."""
        self._subject, self._sharing, self._calibration = subject, sharing, calibration
        self._images, self._progress, self._recipe = images, progress, recipe
        self._metric = metric
        self._tuned: dict[str, SharedLayers] = {}

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float(shares_right(self._float_logits, self._images.labels).mean())

    def layers(self, policy: Policy) -> SharedLayers:
        """The finetuned layers, made once for each policy. Raises PolicyError."""
        key = policy.key()
        if key not in self._tuned:
            shared = self._sharing.shared(policy)
            self._tuned[key] = finetune(
                self._subject, shared, self._calibration, self._progress, self._recipe
            )
        return self._tuned[key]

    def score(self, policies: Sequence[Policy]) -> list[Score]:
        """Scores in the order of the policies. Raises PolicyError."""
        return [self._score(self.layers(policy)) for policy in policies]

    def _score(self, shared: SharedLayers) -> Score:
        found = self._logits(to_network(self._subject.network.graph, shared))
        return compare(found, self._float_logits, self._images.labels, self._metric)

    @cached_property
    def _float_logits(self) -> Logits:
        return self._logits(self._subject.network)

    def _logits(self, network: Network) -> Logits:
        return run_batches(FloatNet(network).logits, to_tensor(self._images))
