from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quant.trace.seen import (
    IMAGES,
    Region,
    heads_to_rows,
    region_of,
    rows_to_heads,
    rows_to_tokens,
    tokens_to_rows,
    turned_to_rows,
    whole,
)

SIZES = st.integers(2, 5)


@given(SIZES, SIZES, SIZES)
def test_tokens_and_heads_are_the_whole_node(heads: int, depth: int, tokens: int) -> None:
    node = whole("x", (heads * depth, 1, tokens))
    everything = Region((0, heads * depth), (0, tokens))
    by_token = node.moved(rows_to_tokens)
    assert by_token.places.shape == (IMAGES, tokens, heads * depth)
    assert region_of(by_token, tokens_to_rows(by_token.places)) == everything
    by_head = node.moved(lambda places: rows_to_heads(places, heads))
    assert by_head.places.shape == (IMAGES, heads, tokens, depth)
    assert region_of(by_head, heads_to_rows(by_head.places)) == everything
    turned = by_head.places.swapaxes(2, 3)
    assert region_of(by_head, turned_to_rows(turned)) == everything
    assert region_of(by_head, turned_to_rows(by_head.places)) is None


@given(st.data())
def test_a_part_is_its_channels_and_tokens(data: st.DataObject) -> None:
    channels, height, width = 6, 2, 3
    first = data.draw(st.integers(0, channels - 1))
    start = data.draw(st.integers(0, height * width - 1))
    last = data.draw(st.integers(first + 1, channels))
    stop = data.draw(st.integers(start + 1, height * width))
    node = whole("x", (channels, height, width))
    rows = node.places.reshape(IMAGES, channels, -1)[:, first:last, start:stop]
    assert region_of(node, rows) == Region((first, last), (start, stop))
    if stop - start > 1:
        assert region_of(node, rows[:, :, ::-1]) is None


def test_images_must_not_be_mixed() -> None:
    node = whole("x", (2, 1, 3))
    assert region_of(node, node.places[::-1, :, 0]) is None


def test_a_single_token_is_a_row_of_one() -> None:
    node = whole("x", (2, 1, 3))
    one = node.moved(lambda places: places[:, :, 0, 1])
    assert region_of(one, tokens_to_rows(one.places)) == Region((0, 2), (1, 2))
    assert np.array_equal(node.places.shape, (IMAGES, 2, 1, 3))
