from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from haq.data.gather import Row, gather
from haq.data.label import Label
from quant.errors import DataError


def row(value: int, label: Label | None = 0, side: int = 6, mode: str = "L") -> Row:
    return Image.new("L", (side, side), value).convert(mode), label


def refuse(rows: list[Row], match: str, channels: int | None = None) -> None:
    with pytest.raises(DataError, match=match) as raised:
        gather(rows, "faces", 6, channels)
    assert "\n" not in str(raised.value)


def test_rows_in_their_order(caplog: pytest.LogCaptureFixture) -> None:
    images = gather([row(3, 7), row(1, 0)], "faces", 6)
    assert images.pixels.shape == (2, 1, 6, 6)
    assert images.pixels[:, 0, 0, 0].tolist() == [3, 1]
    assert images.labels.tolist() == [7, 0]
    assert images.pixels.dtype == np.uint8
    assert images.labels.dtype == np.int64
    assert not caplog.records


def test_what_was_resized_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        images = gather([row(3, side=9), row(4), row(5, side=4)], "faces", 6)
    assert images.pixels[:, 0, 0, 0].tolist() == [3, 4, 5]
    assert caplog.messages == [
        "faces: 2 of 3 images are not 6x6, and were resized to 6 on the shorter side and cut to "
        "6x6 around the centre"
    ]


def test_grey_and_colour_mix_where_the_network_says_what_it_takes() -> None:
    rows = [row(3), row(4, mode="RGB")]
    refuse(rows, "faces mixes grey and colour images")
    for channels in (1, 3):
        assert gather(rows, "faces", 6, channels).pixels.shape[1] == channels


def test_labels_are_needed_unless_they_are_not() -> None:
    refuse([row(1), row(2, None)], "image 1 of faces has no label: only --calibration does")
    images = gather([row(1), row(2, None)], "faces", 6, labelled=False)
    assert images.labels.tolist() == [0, -1]


def test_masks() -> None:
    mask = np.arange(36).reshape(6, 6)
    images = gather([row(1, mask), row(2, mask[::-1])], "faces", 6)
    assert np.array_equal(images.labels, [mask, mask[::-1]])
    refuse([row(1, mask[:4])], "image 0 of faces is 6x6 pixels, its mask 6x4")
    refuse([row(1, mask), row(2, 3)], "mixes class numbers and masks")


def test_nothing_is_refused() -> None:
    refuse([], "faces holds no images")


def test_rows_are_not_kept_while_they_come() -> None:
    count, side, large = 60, 64, 512

    def rows() -> Iterator[Row]:
        for value in range(count):
            yield row(value, side=large, mode="RGB")

    gather(rows(), "faces", side, 3)
    tracemalloc.start()
    gather(rows(), "faces", side, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All images once, as far as a growing buffer needs, and a few of single ones.
    assert peak < 1.5 * count * 3 * side**2 + 3 * 3 * large**2
