"""Labelled images: the packaged sample, Fashion-MNIST on disk, and the user's own."""

from haq.data.images import Images, normalise
from haq.data.sources import Splits, load_calibration, load_images, load_splits

__all__ = ["Images", "Splits", "load_calibration", "load_images", "load_splits", "normalise"]
