"""The network that a command is about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from haq.names import usual_data

if TYPE_CHECKING:
    from haq.cli._options import Observer, Padding
    from haq.data import Images
    from haq.prepare import Subject


def load_subject(
    model: str,
    weights: Path | None,
    input_size: int | None,
    padding: Padding | None,
    data: str | None,
    calibration: str | None,
    observer: Observer,
    equalize: bool = False,
) -> tuple[Subject, Images]:
    """The network that the options name, and the images it was calibrated on. Raises InputError."""
    from haq.cli._options import padding_name
    from haq.data import load_calibration, load_images
    from haq.prepare import load_network, make_subject

    data = data or usual_data(model)
    config, network = load_network(model, weights, input_size, padding_name(padding), data)
    images = load_images(data, config.input_size, config.channels)
    ranges_from = load_calibration(data, calibration, images, config.input_size)
    return make_subject(config, network, ranges_from, observer.value, equalize), ranges_from
