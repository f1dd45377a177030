from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from haq.data import Images
from haq.data.faces import CLASSES, PAIRS, draw_faces
from haq.data.flip import flip
from haq.data.label import UNKNOWN

SHAPES = st.tuples(*[st.integers(1, 4)] * 3)


@st.composite
def masked(draw: st.DrawFn) -> Images:
    count, height, width = draw(SHAPES)
    pixels = draw(arrays.arrays(np.uint8, (count, 3, height, width)))
    labels = st.integers(UNKNOWN, len(CLASSES) - 1)
    masks = draw(arrays.arrays(np.int64, (count, height, width), elements=labels))
    return Images(pixels, masks, PAIRS)


@given(masked(), st.booleans())
def test_flipping_twice_changes_nothing(images: Images, has_pairs: bool) -> None:
    given = images if has_pairs else replace(images, pairs=())
    assert flip(flip(given)).digest() == given.digest()


@given(masked())
def test_left_becomes_right(images: Images) -> None:
    flipped = flip(images)
    np.testing.assert_array_equal(flipped.pixels, images.pixels[..., ::-1])
    mirrored = images.labels[..., ::-1]
    for name, other in (("left", "right"), ("right", "left")):
        for part in ("eye", "brow"):
            before, after = CLASSES.index(f"{name} {part}"), CLASSES.index(f"{other} {part}")
            np.testing.assert_array_equal(flipped.labels == after, mirrored == before)
    alike = np.isin(mirrored, np.array(PAIRS))
    np.testing.assert_array_equal(flipped.labels[~alike], mirrored[~alike])


@given(masked())
def test_without_pairs_masks_are_only_mirrored(images: Images) -> None:
    np.testing.assert_array_equal(flip(replace(images, pairs=())).labels, images.labels[..., ::-1])


def test_the_class_of_a_whole_image_stays() -> None:
    images = Images(np.arange(8, dtype=np.uint8).reshape(2, 1, 1, 4), np.array([4, 5]), PAIRS)
    flipped = flip(images)
    assert flipped.pixels[0, 0, 0].tolist() == [3, 2, 1, 0]
    assert flipped.labels.tolist() == [4, 5]


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_in_a_flipped_upright_face_left_is_left_of_right(left: int, right: int) -> None:
    for images in (faces := draw_faces(20, (1,)), flip(faces)):
        columns = [np.nonzero(images.labels == part)[2].mean() for part in (left, right)]
        assert columns[0] < columns[1]
