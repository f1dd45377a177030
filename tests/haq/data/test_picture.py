from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from haq.data.picture import read_picture, to_picture
from quant.errors import DataError
from tests.haq.data.test_folder import SIDE, save


def refuse(found: Any, match: str) -> None:
    with pytest.raises(DataError, match=match) as raised:
        to_picture(found, "image 3")
    assert "\n" not in str(raised.value)
    assert "image 3" in str(raised.value)


def random_pixels(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "LA", "1"])
def test_all_but_grey_becomes_colour(mode: str, tmp_path: Path) -> None:
    suffix = ".jpg" if mode == "CMYK" else ".png"
    picture = read_picture(save(tmp_path / f"a{suffix}", 255, mode), "a")
    assert picture.mode == "RGB"
    assert np.asarray(picture).min() >= 250
    assert read_picture(save(tmp_path / "grey.png", 9), "a").mode == "L"


def test_channels_keep_their_places(tmp_path: Path) -> None:
    Image.new("RGB", (SIDE, SIDE), (1, 2, 3)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png", "a").getpixel((0, 0)) == (1, 2, 3)


def test_more_than_8_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 40000, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="a has more than 8 bits a channel: convert it"):
        read_picture(tmp_path / "a.png", "a")
    refuse(Image.new("F", (4, 4)), "more than 8 bits")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_image_is_a_picture_or_a_data_error(
    suffix: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = save(tmp_path_factory.getbasetemp() / f"damaged{suffix}", 100, "RGB")
    content = bytearray(path.read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert read_picture(path, "it").mode in ("L", "RGB")
    except DataError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("wrap", [np.asarray, torch.from_numpy])
def test_arrays_with_channels_anywhere(wrap: Any) -> None:
    colour, grey = random_pixels(5, 7, 3), random_pixels(5, 7)
    for form in (colour, colour.transpose(2, 0, 1)):
        assert np.array_equal(np.asarray(to_picture(wrap(form), "a")), colour)
    for form in (grey, grey[None], grey[:, :, None]):
        assert np.array_equal(np.asarray(to_picture(wrap(form), "a")), grey)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_0_to_1_are_the_bytes_that_they_were_made_of(dtype: Any) -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    values = (pixels / 255).astype(dtype)
    assert np.array_equal(np.asarray(to_picture(torch.from_numpy(values), "a")), pixels)


@pytest.mark.parametrize("low, high", [(-1.0, 1.0), (0.0, 255.0), (0.0, 1.01), (0.0, np.nan)])
def test_other_floats_are_refused_with_what_to_do(low: float, high: float) -> None:
    refuse(np.linspace(low, high, 12).reshape(3, 4), r"outside of 0\.\.1: give uint8 pixels or")


def test_what_is_no_picture_is_refused() -> None:
    refuse("file.png", "is a str: a Pillow image or array is needed")
    refuse(np.zeros((4, 4), np.int64), "pixels of int64: uint8 or floats")
    refuse(np.zeros((4, 4), bool), "pixels of bool")
    refuse(random_pixels(5, 7, 4), r"shape \(5, 7, 4\)")
    refuse(random_pixels(5), r"shape \(5,\)")
    refuse(random_pixels(0, 7, 3), r"shape")
    refuse(random_pixels(2, 5, 7, 3), r"shape")
