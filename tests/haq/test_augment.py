from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from haq.augment import augment
from haq.data import Images
from haq.data.faces import PAIRS, draw_faces
from haq.data.label import UNKNOWN

FACES = draw_faces(30, (5,), 32)


def one_bright_pixel(count: int) -> Images:
    """White at row 4 and column 5 of 12x12 pixels, class 1 there and 0 elsewhere."""
    pixels = np.zeros((count, 1, 12, 12), np.uint8)
    pixels[:, 0, 4, 5] = 255
    return Images(pixels, (pixels[:, 0] > 0).astype(np.int64))


@given(st.integers(0, 1000))
def test_it_flips_and_moves_by_two_pixels_at_most(seed: int) -> None:
    images = one_bright_pixel(8)
    moved = augment(images, np.random.default_rng(seed))
    assert moved.pixels.shape == images.pixels.shape
    assert moved.pixels.dtype == np.uint8
    number, _, rows, columns = np.nonzero(moved.pixels)
    assert number.tolist() == list(range(8))
    assert set(rows) <= {2, 3, 4, 5, 6}
    # Column 5 or, mirrored in 12 columns, 6; and two to either side.
    assert set(columns) <= {3, 4, 5, 6, 7, 8}


def test_it_reaches_every_place() -> None:
    moved = augment(one_bright_pixel(2000), np.random.default_rng(0))
    _, _, rows, columns = np.nonzero(moved.pixels)
    assert len(set(zip(rows.tolist(), columns.tolist(), strict=True))) == 5 * 6


@given(st.integers(0, 1000))
def test_masks_move_with_their_images(seed: int) -> None:
    moved = augment(one_bright_pixel(8), np.random.default_rng(seed))
    np.testing.assert_array_equal(moved.labels == 1, moved.pixels[:, 0] > 0)


@given(st.integers(0, 1000))
def test_classes_of_whole_images_stay(seed: int) -> None:
    images = replace(FACES, labels=np.arange(30) % 8)
    np.testing.assert_array_equal(
        augment(images, np.random.default_rng(seed)).labels, images.labels
    )


@given(st.integers(0, 1000))
def test_only_pixels_that_moved_in_do_not_count(seed: int) -> None:
    moved = augment(FACES, np.random.default_rng(seed))
    unknown = moved.labels == UNKNOWN
    assert not unknown[:, 2:-2, 2:-2].any()
    assert not moved.pixels.transpose(0, 2, 3, 1)[unknown].any()
    kept = np.where(unknown, 0, moved.labels)
    assert set(np.unique(kept)) == set(np.unique(FACES.labels))


@given(st.integers(0, 1000))
def test_left_stays_left_of_right(seed: int) -> None:
    moved = augment(FACES, np.random.default_rng(seed))
    for left, right in PAIRS:
        for mask in moved.labels:
            assert np.nonzero(mask == left)[1].mean() < np.nonzero(mask == right)[1].mean()


def test_what_was_given_stays_as_it_was() -> None:
    before = FACES.digest()
    augment(FACES, np.random.default_rng(0))
    assert FACES.digest() == before
