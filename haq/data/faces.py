"""Faces drawn from ellipses whose masks are known, for a network that tells parts of faces apart.

Left and right are those of whoever looks at the picture. Both eyes, and both brows, look alike:
which is which can only be told from where they are in the face.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from haq.data.ellipse import Canvas, Ellipse, Values
from haq.data.images import Images

CLASSES = (
    *("background", "skin", "hair", "mouth"),
    *("left eye", "right eye", "left brow", "right brow"),
)
BACKGROUND, SKIN, HAIR, MOUTH, LEFT_EYE, RIGHT_EYE, LEFT_BROW, RIGHT_BROW = range(len(CLASSES))
PAIRS = ((LEFT_EYE, RIGHT_EYE), (LEFT_BROW, RIGHT_BROW))
"""Classes that change places in a mirror."""
SIDE = 64
Part = Literal["train", "calibration", "validation", "test"]
COUNTS: Mapping[Part, int] = {"train": 2000, "calibration": 100, "validation": 300, "test": 500}
SEED = 20
BATCH = 20
"""Faces drawn at a time: more leave the caches."""
Face = Mapping[str, Values]
"""Numbers of RANGES, each (N, 1, 1)."""
WHITE = 0.92

RANGES: Mapping[str, tuple[float, float]] = {
    # Of the image's side: the centre of the head and half of its height.
    **{"x": (0.42, 0.58), "y": (0.46, 0.58), "size": (0.26, 0.36)},
    "tilt": (-0.44, 0.44),  # radians
    # Of half of the head's height, from its centre, y downwards.
    "width": (0.70, 0.84),
    **{"eye_x": (0.30, 0.40), "eye_y": (-0.22, -0.08)},
    **{"eye_width": (0.15, 0.21), "eye_height": (0.09, 0.14), "iris": (0.06, 0.09)},
    **{"brow_y": (0.18, 0.28), "brow_width": (0.18, 0.25), "brow_height": (0.05, 0.08)},
    "brow_tilt": (-0.3, 0.3),
    **{"mouth_y": (0.42, 0.56), "mouth_width": (0.20, 0.38), "mouth_height": (0.06, 0.14)},
    **{"hair_size": (1.08, 1.25), "hair_y": (-0.25, -0.08)},
    # Red as a share of full brightness, green and blue as shares of the one before.
    **{"skin_red": (0.55, 1.0), "skin_green": (0.66, 0.84), "skin_blue": (0.66, 0.9)},
    **{"hair_red": (0.1, 0.75), "hair_green": (0.5, 0.9), "hair_blue": (0.3, 0.8)},
    **{"mouth_red": (0.55, 0.95), "mouth_green": (0.25, 0.5), "mouth_blue": (0.8, 1.1)},
    **{"iris_red": (0.05, 0.3), "iris_green": (0.5, 1.5), "iris_blue": (0.5, 1.5)},
    # The background goes from one colour to another.
    **{f"{end}_{colour}": (0.0, 1.0) for end in ("from", "to") for colour in ("r", "g", "b")},
    # How far light changes from the centre to the edges, and the deviation of noise.
    **{"light_x": (-0.35, 0.35), "light_y": (-0.35, 0.35), "noise": (0.0, 0.08)},
}


def load_faces(part: Part, side: int = SIDE) -> Images:
    """The faces of a part and their masks, always the same ones, `side` pixels high and wide."""
    return draw_faces(COUNTS[part], (SEED, list(COUNTS).index(part)), side)


def draw_faces(count: int, seed: tuple[int, ...], side: int = SIDE) -> Images:
    """RGB faces (N, 3, side, side) with masks (N, side, side); fewer are the first of more."""
    rng, noise = np.random.default_rng((*seed, 0)), np.random.default_rng((*seed, 1))
    low, high = np.array(list(RANGES.values())).T
    numbers = rng.uniform(low, high, (count, len(low))).astype(np.float32)
    drawn = [draw(part, noise, side) for part in np.split(numbers, range(BATCH, count, BATCH))]
    pixels, masks = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return Images(pixels, masks, PAIRS)


def draw(
    numbers: Values, noise: np.random.Generator, side: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels and masks of faces with the numbers (N, len(RANGES))."""
    face = {name: column[:, None, None] for name, column in zip(RANGES, numbers.T, strict=True)}
    canvas = Canvas(face["x"], face["y"], face["size"], face["tilt"], side)
    canvas.fill(colour_of(face, "from", "rgb"), colour_of(face, "to", "rgb"))
    for ellipse, colour, label in ellipses(face):
        canvas.draw(ellipse, colour, label)
    canvas.light(face["light_x"], face["light_y"])
    canvas.spoil(face["noise"], noise)
    return canvas.pixels(), canvas.masks


def ellipses(face: Face) -> Iterator[tuple[Ellipse, Values, int]]:
    """What a face is made of, from the back to the front: shape, colour, class."""
    zero = np.zeros_like(face["x"])
    hair, skin = shade(face, "hair"), shade(face, "skin")
    behind = face["hair_size"]
    yield Ellipse(zero, face["hair_y"], face["width"] * behind, behind, zero), hair, HAIR
    yield Ellipse(zero, zero, face["width"], zero + 1, zero), skin, SKIN
    mouth = Ellipse(zero, face["mouth_y"], face["mouth_width"], face["mouth_height"], zero)
    yield mouth, shade(face, "mouth"), MOUTH
    for side, eye, brow in ((-1, LEFT_EYE, LEFT_BROW), (1, RIGHT_EYE, RIGHT_BROW)):
        x, y = side * face["eye_x"], face["eye_y"]
        white = np.full((3, *zero.shape), WHITE, np.float32)
        yield Ellipse(x, y, face["eye_width"], face["eye_height"], zero), white, eye
        yield Ellipse(x, y, face["iris"], face["iris"], zero), shade(face, "iris"), eye
        above = y - face["brow_y"]
        tilt = side * face["brow_tilt"]
        yield Ellipse(x, above, face["brow_width"], face["brow_height"], tilt), 0.6 * hair, brow


def shade(face: Face, part: str) -> Values:
    """A colour (3, N, 1, 1) whose green and blue are shares of what is before them."""
    red, green, blue = colour_of(face, part, ("red", "green", "blue"))
    return np.stack([red, red * green, red * green * blue])


def colour_of(face: Face, part: str, names: tuple[str, ...] | str) -> Values:
    """A colour (3, N, 1, 1)."""
    return np.stack([face[f"{part}_{name}"] for name in names])
