"""The packaged network and Fashion-MNIST from disk."""

from __future__ import annotations

from dataclasses import dataclass

from haq.data import Images, fashion_mnist
from haq.prepare import Subject, load_network, make_subject

SIDE = 32
CALIBRATION = 500


@dataclass(frozen=True)
class Given:
    """A calibrated network, images to train on, and all test images."""

    subject: Subject
    images: Images
    held_out: Images


def load(count: int) -> Given:
    """The first `count` training images; ranges are from the first 500 of them."""
    config, network = load_network("mbv2", None, SIDE, "torch")
    images = fashion_mnist.load_full("train", SIDE).rows(0, count - 1)
    subject = make_subject(config, network, images.rows(0, CALIBRATION - 1), "auto")
    return Given(subject, images, fashion_mnist.load_full("t10k", SIDE))
