from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.data import Images, normalise
from quant.errors import DataError


def numbered(count: int, side: int = 4, channels: int = 1) -> Images:
    """Images whose pixels all hold the image's number, which is its label too."""
    labels = np.arange(count, dtype=np.int64)
    shape = (count, channels, side, side)
    return Images(np.broadcast_to(labels[:, None, None, None], shape).astype(np.uint8), labels)


@given(st.integers(1, 20), st.data())
def test_rows_include_both_ends(count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first, count - 1))
    rows = numbered(count).rows(first, last)
    assert rows.labels.tolist() == list(range(first, last + 1))
    assert rows.pixels[:, 0, 0, 0].tolist() == rows.labels.tolist()
    assert len(rows) == last - first + 1


@pytest.mark.parametrize(("first", "last"), [(0, 5), (3, 2), (-1, 2), (5, 5)])
def test_rows_outside_of_the_set_are_refused(first: int, last: int) -> None:
    with pytest.raises(DataError, match=rf"rows {first}-{last} asked for, but there are rows 0-4"):
        numbered(5).rows(first, last)


@pytest.mark.parametrize(("side", "first"), [(4, 0), (5, 0), (6, 1), (9, 2)])
def test_padding_puts_zeros_around(side: int, first: int) -> None:
    images = numbered(3)
    padded = images.padded(side)
    assert padded.pixels.shape == (3, 1, side, side)
    assert padded.pixels.dtype == np.uint8
    inner = padded.pixels[:, :, first : first + 4, first : first + 4]
    np.testing.assert_array_equal(inner, images.pixels)
    assert padded.pixels.sum() == images.pixels.sum()


def test_padding_does_not_crop() -> None:
    with pytest.raises(DataError, match="images of 4x4 do not fit an input of 3x3"):
        numbered(1).padded(3)


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 1, 4, 4)])
def test_shapes_and_labels_must_match(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="one label each"):
        Images(np.zeros(shape, np.uint8), np.zeros(3, np.int64))


def test_the_digest_tells_pixels_and_labels_apart() -> None:
    images = numbered(4)
    other = images.pixels.copy()
    other[2, 0, 3, 1] += 1
    digests = {
        images.digest(),
        Images(other, images.labels).digest(),
        Images(images.pixels, images.labels[::-1]).digest(),
        images.rows(0, 2).digest(),
    }
    assert len(digests) == 4
    assert images.digest() == numbered(4).digest()


def test_normalised_pixels_span_minus_one_to_one() -> None:
    found = normalise(np.arange(256, dtype=np.uint8))
    assert found.dtype == np.float32
    assert (found[0], found[255]) == (-1, 1)
    np.testing.assert_allclose(np.diff(found), 2 / 255, rtol=1e-4)
