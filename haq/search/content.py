"""What decides a score but the policy: under its digest scores are kept and found again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from haq.data import Images, Splits
from haq.metrics import beside_top1
from haq.prepare import Subject
from haq.search.request import SearchRequest
from quant.ncnn.build import float_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import dump_bin, dump_param


@dataclass(frozen=True)
class Content:
    """What all scores of a run have in common."""

    common: Mapping[str, Any]

    def digest(self, images: Images, **how: Any) -> str:
        """SHA-256 of the scores on these images, made in this way."""
        text = json.dumps({**self.common, **how, "images": images.digest()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def make_content(
    request: SearchRequest, subject: Subject, splits: Splits, capabilities: Capabilities
) -> Content:
    """Of the network as it was loaded, computed for a board of these capabilities."""
    config, metric = subject.config, beside_top1(request.metric, subject.network.graph)
    return Content(
        {
            "network": [config.model, config.input_size, config.padding],
            "weights": network_digest(subject),
            "calibration": splits.calibration.digest(),
            "observer": request.observer,
            "equalize": request.equalize,
            "quantizer": request.quantizer,
            **({"metric": metric.identity} if metric else {}),
            "board": {**asdict(capabilities), "types16": sorted(capabilities.types16)},
            "versions": {name: version(name) for name in ("haq", "ncnn", "numpy", "torch")},
        }
    )


def network_digest(subject: Subject) -> str:
    """SHA-256 of the float network: its operations, and their weights."""
    layers = float_layers(subject.network)
    return hashlib.sha256(dump_param(layers).encode() + dump_bin(layers)).hexdigest()


def digests(subject: Subject, splits: Splits) -> dict[str, str]:
    """SHA-256 of weights and images: a run is not continued when a path holds something else."""
    return {
        "weights": network_digest(subject),
        "calibration": splits.calibration.digest(),
        "validation": splits.validation.digest(),
        "test": splits.test.digest(),
    }
