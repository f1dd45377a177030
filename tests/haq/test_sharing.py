from __future__ import annotations

import numpy as np

from haq.progress import Silent
from haq.sharing import finetune, kmeans_quantizer, score_shared
from quant.centroids import CentroidRecipe
from quant.policy import uniform
from tests.haq.subjects import cropped, small_subject

SUBJECT = small_subject()
NAMES = SUBJECT.network.graph.layer_names
CALIBRATION, TEST = cropped("calibration", 20), cropped("test", 50)


def test_float_weights_score_like_the_float_network() -> None:
    quantizer = kmeans_quantizer(SUBJECT, CALIBRATION)
    score = score_shared(SUBJECT, quantizer.shared(uniform(NAMES, 32, 32)), TEST)
    assert score["kl"] < 1e-9
    assert score["agreement"] == 1


def test_finetuning_tells_every_epoch_and_lowers_the_divergence() -> None:
    class Counting(Silent):
        steps = 0

        def advance(self, note: str = "") -> None:
            self.steps += 1

    shared = kmeans_quantizer(SUBJECT, CALIBRATION).shared(uniform(NAMES, 3, 32))
    progress = Counting()
    tuned = finetune(SUBJECT, shared, CALIBRATION, progress, CentroidRecipe(epochs=4))
    assert progress.steps == 4
    assert score_shared(SUBJECT, tuned, TEST)["kl"] < score_shared(SUBJECT, shared, TEST)["kl"]


def test_importance_is_that_of_the_images() -> None:
    one, other = (kmeans_quantizer(SUBJECT, CALIBRATION.rows(0, last)) for last in (9, 19))
    assert one.importance is not None and other.importance is not None
    assert not np.array_equal(one.importance[NAMES[0]], other.importance[NAMES[0]])
