from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from quant.details import Pool
from quant.errors import ModelError
from quant.operations import avg_pool, max_pool
from quant.trace.windows import average_window, even_window, fits, fitted, is_even, torch_pads

side = st.integers(1, 12)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))


@given(side, side, pairs, pairs, st.tuples(st.integers(0, 2), st.integers(0, 2)), st.booleans())
@settings(deadline=None)
def test_windows_that_round_up_are_those_of_torch(
    h: int,
    w: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    counts: bool,
) -> None:
    assume(2 * padding[0] <= kernel[0] and 2 * padding[1] <= kernel[1])
    x = torch.randn(1, 2, h, w)
    try:
        largest = F.max_pool2d(x, kernel, stride, padding, ceil_mode=True)
        average = F.avg_pool2d(x, kernel, stride, padding, True, counts)
    except RuntimeError:
        return
    pads = (padding[1], padding[1], padding[0], padding[0])
    before, after = (2, h, w), tuple(largest.shape[1:])
    pool = Pool(kernel, stride, pads, counts)
    window = fitted(pool, before, after)
    torch.testing.assert_close(max_pool(x, window), largest)
    assert window.pads[1] < kernel[1] and window.pads[3] < kernel[0]
    if counts and window.pads != pads and any(pads):
        with pytest.raises(ModelError, match="'p': an average that counts padding"):
            average_window("p", pool, before, after)
        return
    torch.testing.assert_close(avg_pool(x, average_window("p", pool, before, after)), average)


def test_even_windows_of_adaptive_pools() -> None:
    assert is_even((2, 6, 9), (2, 3, 1))
    assert even_window((2, 6, 9), (2, 3, 1)) == Pool((2, 9), (2, 9), (0, 0, 0, 0))
    assert not is_even((2, 6, 9), (2, 4, 3))


@pytest.mark.parametrize(
    ("factors", "after", "fit"),
    [
        (2, (12, 18), True),
        ((0.5, 1), (3, 9), True),
        (1.55, (9, 13), False),
        (1 / 3, (2, 3), True),
    ],
)
def test_factors_that_leave_no_part_of_a_pixel(
    factors: float | tuple[float, float], after: tuple[int, int], fit: bool
) -> None:
    assert fits((2, 6, 9), (2, *after), factors) == fit


def test_same_padding_puts_the_odd_pixel_at_the_end() -> None:
    assert torch_pads("same", (3, 4), (1, 1)) == (1, 2, 1, 1)
    assert torch_pads("same", (3, 3), (2, 3)) == (3, 3, 2, 2)


def test_other_padding() -> None:
    assert torch_pads("valid", (3, 3), (1, 1)) == (0, 0, 0, 0)
    assert torch_pads((1, 2), (3, 3), (1, 1)) == (2, 2, 1, 1)
    assert torch_pads(1, (3, 3), (1, 1)) == (1, 1, 1, 1)
