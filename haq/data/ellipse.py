"""Ellipses drawn over one another on many images at once, and masks of what is seen of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
EDGE = 0.7
"""Half of the pixels over which the rim of an ellipse fades."""


@dataclass(frozen=True)
class Ellipse:
    """An ellipse an image: centre, half axes, tilt in radians (clockwise), all (N, 1, 1).

    Lengths are in the canvas's units, y downwards.
    """

    x: Values
    y: Values
    width: Values
    height: Values
    tilt: Values


class Canvas:
    """Square images with an origin, a unit and a tilt each."""

    def __init__(self, x: Values, y: Values, unit: Values, tilt: Values, side: int) -> None:
        """Origin and unit are shares of the side, the tilt is in radians; all (N, 1, 1)."""
        places = ((np.arange(side) + 0.5) / side).astype(np.float32)
        self.across, self.down = np.meshgrid(places, places)
        self._x, self._y = turned((self.across - x) / unit, (self.down - y) / unit, tilt)
        self._pixel = 1 / (unit * side)
        self._image = np.zeros((3, len(x), side, side), np.float32)
        self.masks = np.zeros((len(x), side, side), np.int64)

    def fill(self, start: Values, end: Values) -> None:
        """Change from a colour (3, N, 1, 1) at the top left to another one at the bottom right."""
        self._image[:] = start + (end - start) * (self.across + self.down) / 2

    def draw(self, ellipse: Ellipse, colour: Values, label: int) -> None:
        """Cover what is beneath with a colour (3, N, 1, 1); half of a pixel takes its label."""
        cover = self.coverage(ellipse)
        self._image += cover * (colour - self._image)
        self.masks[cover >= 0.5] = label

    def coverage(self, ellipse: Ellipse) -> Values:
        """How much of every pixel an ellipse covers (N, side, side), about."""
        x, y = turned(self._x - ellipse.x, self._y - ellipse.y, ellipse.tilt)
        x, y = x / ellipse.width, y / ellipse.height
        radius = np.sqrt(x * x + y * y)
        narrow = np.minimum(ellipse.width, ellipse.height)
        pixels_inside = (1 - radius) * narrow / self._pixel
        return np.clip(0.5 + pixels_inside / (2 * EDGE), 0, 1)

    def light(self, x: Values, y: Values) -> None:
        """Make images brighter to one side: by a share x (y) at the right (bottom) edge."""
        self._image *= 1 + x * (2 * self.across - 1) + y * (2 * self.down - 1)

    def spoil(self, deviation: Values, rng: np.random.Generator) -> None:
        """Add noise, drawn image by image."""
        count, side = self.masks.shape[:2]
        drawn = rng.standard_normal((count, 3, side, side), np.float32).swapaxes(0, 1)
        self._image += deviation * drawn

    def pixels(self) -> NDArray[np.uint8]:
        """The images (N, 3, side, side)."""
        found = np.rint(255 * self._image.clip(0, 1)).astype(np.uint8)
        return np.ascontiguousarray(found.swapaxes(0, 1))


def turned(x: Values, y: Values, tilt: Values) -> tuple[Values, Values]:
    """Places as seen from axes that are turned clockwise by so many radians."""
    cos, sin = np.cos(tilt), np.sin(tilt)
    return x * cos + y * sin, y * cos - x * sin
