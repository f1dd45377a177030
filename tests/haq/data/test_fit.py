from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from haq.data.fit import fit, fit_mask, resized, shorter_side
from quant.errors import DataError


def pattern(width: int = 70, height: int = 50) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    planes = np.stack([x * 3 % 256, y * 5 % 256, x * y % 256], -1)
    return Image.fromarray(planes.astype(np.uint8))


# torchvision 0.28.0 on Pillow 13.0.0, Resize(side * 8 // 7) and CenterCrop(side) of `pattern`; 400
# images of random sizes were equal to the byte, too.
@pytest.mark.parametrize(
    ("side", "digest", "total", "first", "last"),
    [
        (28, "af22404c7d365f9919d6cf8712fa6b297b274cbf520bbf3343f56466d53b3433", 277070,
         [39, 17, 44], [168, 228, 110]),
        (32, "4d6e89ca55e7a24516252a26b639cd2cd4cffa01c7ced98f638c94463c6e5441", 361610,
         [38, 15, 38], [169, 230, 73]),
    ],
)  # fmt: skip
def test_another_size_becomes_what_torchvision_makes_of_it(
    side: int, digest: str, total: int, first: list[int], last: list[int]
) -> None:
    planes = fit(pattern(), side, 3)
    assert planes[:, 0, 0].tolist() == first
    assert planes[:, -1, -1].tolist() == last
    assert planes.sum() == total
    assert hashlib.sha256(planes.tobytes()).hexdigest() == digest


def test_sides_before_the_cut() -> None:
    # 224 / 0.875 and 299 / 0.875 rounded down: the resize of torchvision's and timm's presets.
    assert [shorter_side(side) for side in (224, 299, 32, 28)] == [256, 341, 36, 32]
    assert resized((500, 375), 256) == (341, 256)
    assert resized((375, 500), 256) == (256, 341)


@given(st.integers(1, 40), st.sampled_from(["L", "RGB"]), st.integers(0, 2**32 - 1))
def test_the_right_size_is_left_as_it_is(side: int, mode: str, seed: int) -> None:
    shape = (side, side) if mode == "L" else (side, side, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    planes = fit(Image.fromarray(pixels), side, None)
    assert planes.flags.c_contiguous
    kept = planes[0] if mode == "L" else planes.transpose(1, 2, 0)
    assert np.array_equal(kept, pixels)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40))
def test_any_size_fits(width: int, height: int, side: int) -> None:
    assert fit(Image.new("RGB", (width, height), (7, 8, 9)), side, 3).shape == (3, side, side)
    assert fit(Image.new("L", (width, height), 7), side, 1).min() == 7


def test_grey_is_repeated_and_colour_turned_to_grey() -> None:
    grey = fit(Image.new("L", (4, 4), 50), 4, 3)
    assert grey.shape == (3, 4, 4)
    assert set(grey.ravel()) == {50}
    # ITU-R 601: 0.299 R + 0.587 G + 0.114 B.
    assert fit(Image.new("RGB", (4, 4), (100, 0, 0)), 4, 1)[0, 0, 0] == 30
    assert fit(Image.new("RGB", (4, 4), (0, 100, 0)), 4, 1)[0, 0, 0] == 59


def test_other_channels_are_refused() -> None:
    with pytest.raises(DataError, match="one or three channels, the network takes 4"):
        fit(pattern(), 32, 4)


def test_an_image_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(DataError, match="1x5000 pixels is too long"):
        fit(Image.new("L", (1, 5000)), 224, 1)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_mask_gets_no_class_that_it_had_not(
    width: int, height: int, side: int, seed: int
) -> None:
    mask = np.random.default_rng(seed).integers(-1, 300, (height, width))
    found = fit_mask(mask, side)
    assert found.shape == (side, side)
    assert found.dtype == np.int64
    assert set(found.ravel()) <= set(mask.ravel())


def test_a_mask_stays_with_its_image() -> None:
    # Left and right halves of an image and of its mask are still the same after the cut.
    mask = np.zeros((50, 70), np.int64)
    mask[:, 35:] = 1
    planes = fit(Image.fromarray((mask * 255).astype(np.uint8)), 28, 1)
    assert np.array_equal(fit_mask(mask, 28) == 1, planes[0] > 127)
