from __future__ import annotations

import numpy as np
import pytest

from haq.data import load_calibration, load_images, load_splits
from haq.data.built_in import BUILT_IN, FACES, SAMPLE
from haq.data.faces import load_faces
from haq.data.training import load_training

pytestmark = pytest.mark.usefixtures("few_faces")


@pytest.mark.parametrize("name", [SAMPLE, FACES])
def test_parts_have_the_shape_that_is_promised(name: str) -> None:
    found = BUILT_IN[name]
    channels, classes, side = found.shape
    for load in (found.training, found.calibration, found.validation, found.kept, found.test):
        images = load(side)
        assert images.pixels.shape[1:] == (channels, side, side)
        assert np.unique(images.labels).tolist() == list(range(classes))


def test_faces_by_name() -> None:
    splits = load_splits("faces", None, 64)
    assert splits.calibration.digest() == load_faces("calibration").digest()
    assert splits.validation.digest() == load_faces("validation").digest()
    assert splits.test.digest() == load_faces("test").digest()
    some = load_images("faces:3-7", 64)
    assert some.digest() == splits.test.rows(3, 7).digest()
    assert load_calibration("faces:3-7", None, some, 64).digest() == splits.calibration.digest()


def test_faces_to_train_on() -> None:
    images, held_out = load_training("faces:0-9", None, 64)
    assert images.digest() == load_faces("train").rows(0, 9).digest()
    assert held_out.digest() == load_faces("test").digest()
