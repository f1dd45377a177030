"""Images in a mirror: what was left is right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from haq.data.images import Images


def flip(images: Images) -> Images:
    """The images and their masks mirrored, in masks the classes of each pair in each other's place.

    Class numbers of whole images stay. Flipping twice changes nothing.
    """
    pixels = np.ascontiguousarray(images.pixels[..., ::-1])
    if images.labels.ndim == 1:
        return replace(images, pixels=pixels)
    mirrored = images.labels[..., ::-1]
    masks = mirrored.copy()
    for one, other in images.pairs:
        masks[mirrored == one], masks[mirrored == other] = other, one
    return replace(images, pixels=pixels, labels=masks)
