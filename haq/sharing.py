"""Sharing the weights of a subject: clusters by importance, centroids trained."""

from __future__ import annotations

from haq.data import Images
from haq.prepare import Subject, to_tensor
from haq.progress import Progress
from quant.centroids import CentroidRecipe, finetune_centroids
from quant.evaluate import compare, run_batches
from quant.float_net import FloatNet
from quant.importance import measure_importance
from quant.kmeans import KMeansQuantizer
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


def score_shared(subject: Subject, shared: SharedLayers, images: Images) -> dict[str, float]:
    """Top-1, KL and agreement with the float network on labelled images, by their names."""
    x = to_tensor(images)
    wanted = run_batches(FloatNet(subject.network).logits, x)
    found = run_batches(FloatNet(to_network(subject.network.graph, shared)).logits, x)
    score = compare(found, wanted, images.labels)
    return {"top1": score.top1, "kl": score.kl, "agreement": score.agreement}
