from __future__ import annotations

import math

import numpy as np
import pytest

from haq.data.ellipse import Canvas, Ellipse, Values, turned

SIDE = 64


def number(value: float) -> Values:
    return np.full((1, 1, 1), value, np.float32)


def ellipse(x: float, y: float, width: float, height: float, tilt: float = 0.0) -> Ellipse:
    return Ellipse(*map(number, (x, y, width, height, tilt)))


def canvas(tilt: float = 0.0) -> Canvas:
    return Canvas(number(0.5), number(0.5), number(0.25), number(tilt), SIDE)


def colour(red: float, green: float, blue: float) -> Values:
    return np.array([red, green, blue], np.float32).reshape(3, 1, 1, 1)


@pytest.mark.parametrize(("width", "height", "tilt"), [(1, 1, 0), (0.5, 1.5, 0), (1.5, 0.5, 0.7)])
def test_an_ellipse_covers_its_area(width: float, height: float, tilt: float) -> None:
    drawn = canvas()
    drawn.draw(ellipse(0, 0, width, height, tilt), colour(1, 1, 1), 3)
    area = math.pi * width * height * 16 * 16
    assert (drawn.masks == 3).sum() == pytest.approx(area, rel=0.03)
    assert drawn.coverage(ellipse(0, 0, width, height, tilt)).sum() == pytest.approx(area, rel=0.03)


def test_what_is_drawn_later_covers_what_is_beneath() -> None:
    drawn = canvas()
    drawn.draw(ellipse(0, 0, 1, 1), colour(1, 0, 0), 1)
    drawn.draw(ellipse(0, 0, 0.5, 0.5), colour(0, 0, 1), 2)
    assert drawn.masks[0, 32, 32] == 2
    assert drawn.masks[0, 32, 20] == 1
    assert drawn.pixels()[0, :, 32, 32].tolist() == [0, 0, 255]
    assert drawn.pixels()[0, :, 32, 20].tolist() == [255, 0, 0]


def test_a_canvas_tilts_what_is_drawn_on_it() -> None:
    drawn = canvas(tilt=math.pi / 2)
    drawn.draw(ellipse(1, 0, 0.2, 0.2), colour(1, 1, 1), 1)
    # What lies to the right is below after a quarter turn clockwise, as y goes downwards.
    np.testing.assert_allclose(np.argwhere(drawn.masks[0]).mean(0), [47.5, 31.5], atol=0.1)


def test_turning_back() -> None:
    x, y = turned(*turned(number(0.3), number(-0.7), number(0.4)), number(-0.4))
    assert (x.item(), y.item()) == pytest.approx((0.3, -0.7))


def test_background_light_and_noise() -> None:
    drawn = canvas()
    drawn.fill(colour(0, 0.5, 1), colour(1, 0.5, 0))
    corners = drawn.pixels()[0][:, [0, -1], [0, -1]]
    np.testing.assert_allclose(corners, [[2, 253], [128, 128], [253, 2]], atol=1)
    drawn.light(number(0.5), number(0))
    green = drawn.pixels()[0, 1]
    np.testing.assert_allclose(green[:, 0], 64, atol=2)
    np.testing.assert_allclose(green[:, -1], 191, atol=2)
    before = drawn.pixels().astype(float)
    drawn.spoil(number(0.05), np.random.default_rng(0))
    assert (drawn.pixels()[0, 1] - before[0, 1]).std() == pytest.approx(0.05 * 255, rel=0.1)
