from __future__ import annotations

import numpy as np
import pytest

from haq.data.faces import BACKGROUND, CLASSES, COUNTS, PAIRS, draw_faces, load_faces
from haq.data.images import Images

FACES = draw_faces(200, (7,))


def shares(images: Images) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Share of every image that is of every class (N, classes)."""
    found = images.labels[..., None] == np.arange(len(CLASSES))
    means: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = found.mean((1, 2))
    return means


def test_faces_are_small_coloured_images_with_masks() -> None:
    assert FACES.pixels.shape == (200, 3, 64, 64)
    assert FACES.pixels.dtype == np.uint8
    assert FACES.labels.shape == (200, 64, 64)


def test_every_face_has_all_parts() -> None:
    found = shares(FACES)
    assert set(np.unique(FACES.labels)) == set(range(len(CLASSES)))
    assert (found > 0).all()
    mean = dict(zip(CLASSES, found.mean(0), strict=True))
    assert 0.5 < mean["background"] < 0.8
    assert mean["skin"] > mean["hair"] > mean["mouth"] > mean["left brow"] > 0.002


def test_left_and_right_are_as_large() -> None:
    mean = shares(FACES).mean(0)
    for left, right in PAIRS:
        assert mean[left] == pytest.approx(mean[right], rel=0.05)


def test_equal_seeds_draw_equal_faces_and_fewer_are_the_first_of_more() -> None:
    assert draw_faces(200, (7,)).digest() == FACES.digest()
    assert draw_faces(33, (7,)).digest() == FACES.rows(0, 32).digest()
    assert draw_faces(200, (8,)).digest() != FACES.digest()


def test_parts_are_disjoint() -> None:
    rows = [row.tobytes() for part in COUNTS for row in load_faces(part, 16).pixels]
    assert len(set(rows)) == sum(COUNTS.values())


def test_faces_differ_in_place_size_tilt_and_colour() -> None:
    heads = FACES.labels != BACKGROUND
    rows, columns = (np.arange(64)[:, None], np.arange(64))
    areas = heads.sum((1, 2))
    for axis in (rows, columns):
        centres = (heads * axis).sum((1, 2)) / areas
        assert np.ptp(centres) > 6
    assert areas.max() > 1.5 * areas.min()
    left, right = (
        np.array([np.argwhere(m == eye).mean(0) for m in FACES.labels]) for eye in (4, 5)
    )
    tilts = np.arctan2(*(right - left).T)
    assert tilts.min() < -0.3
    assert tilts.max() > 0.3
    colours = np.array(
        [i[:, m == 1].mean(1) for i, m in zip(FACES.pixels, FACES.labels, strict=True)]
    )
    assert (colours.std(0) > 15).all()


@pytest.mark.parametrize("side", [32, 96])
def test_faces_of_another_side_are_the_same_faces(side: int) -> None:
    other = draw_faces(50, (7,), side)
    assert other.pixels.shape == (50, 3, side, side)
    np.testing.assert_allclose(shares(other).mean(0), shares(FACES.rows(0, 49)).mean(0), rtol=0.1)
