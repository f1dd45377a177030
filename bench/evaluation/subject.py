"""The network of these benches and its images, from what was named on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from haq.data import Images, load_images
from haq.names import Padding
from haq.prepare import Subject, load_network, make_subject


@dataclass(frozen=True)
class Given:
    """Weights and images of a MobileNetV2: `data` is a folder, `calibration` and `scored` rows."""

    weights: Path | None
    data: str
    side: int = 224
    padding: Padding = "same"
    calibration: str = "0-99"
    scored: str = "100-999"

    def rows(self, rows: str) -> Images:
        """Images of rows such as `0-99`. Raises DataError."""
        return load_images(f"{self.data}:{rows}", self.side)


@cache
def subject_of(given: Given) -> Subject:
    """The calibrated network. Raises ModelError, DataError."""
    config, network = load_network("mbv2", given.weights, given.side, given.padding)
    return make_subject(config, network, given.rows(given.calibration), "auto")
