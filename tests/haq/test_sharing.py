from __future__ import annotations

import numpy as np

from haq.progress import Silent
from haq.sharing import TunedEvaluator, kmeans_quantizer
from quant.centroids import CentroidRecipe
from quant.policy import uniform
from tests.haq.subjects import cropped, small_subject

SUBJECT = small_subject()
NAMES = SUBJECT.network.graph.layer_names
CALIBRATION, TEST = cropped("calibration", 20), cropped("test", 50)


class Counting(Silent):
    def __init__(self) -> None:
        self.steps = 0

    def advance(self, note: str = "") -> None:
        self.steps += 1


def tuned_by(epochs: int, progress: Silent) -> TunedEvaluator:
    quantizer = kmeans_quantizer(SUBJECT, CALIBRATION)
    recipe = CentroidRecipe(epochs=epochs)
    return TunedEvaluator(SUBJECT, quantizer, CALIBRATION, TEST, progress, recipe)


def test_float_weights_score_like_the_float_network() -> None:
    evaluator = tuned_by(0, Silent())
    (score,) = evaluator.score([uniform(NAMES, 32, 32)])
    assert score.kl < 1e-9
    assert (score.agreement, score.images) == (1, len(TEST))
    assert score.top1 == evaluator.float_top1


def test_finetuning_tells_every_epoch_once_a_policy_and_lowers_the_divergence() -> None:
    progress, policy = Counting(), uniform(NAMES, 3, 32)
    evaluator = tuned_by(4, progress)
    (score,) = evaluator.score([policy])
    assert progress.steps == 4
    assert evaluator.score([policy]) == [score]
    assert evaluator.layers(policy) is evaluator.layers(policy)
    assert progress.steps == 4
    assert score.kl < tuned_by(0, Silent()).score([policy])[0].kl


def test_importance_is_that_of_the_images() -> None:
    one, other = (kmeans_quantizer(SUBJECT, CALIBRATION.rows(0, last)) for last in (9, 19))
    assert one.importance is not None and other.importance is not None
    assert not np.array_equal(one.importance[NAMES[0]], other.importance[NAMES[0]])
