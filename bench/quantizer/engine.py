"""Uniform 8 bits in ncnn's own arithmetic, executed, by ways to find ranges and by equalization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bench.quantizer.row import describe
from haq.data import Images
from haq.engine_evaluator import deployed, float_network
from haq.prepare import Calibrated, Subject, make_subject
from haq.zoo import NetConfig
from quant.graph import Network
from quant.ncnn.runtime import capabilities
from quant.observers import Method
from quant.policy import uniform

OBSERVERS: tuple[Method, ...] = ("absmax", "percentile", "mse", "auto")


def rate_engine(
    config: NetConfig, network: Network, calibration: Images, images: Images
) -> Iterator[dict[str, Any]]:
    """Rows as they come."""
    wanted = float_network(network).logits(images)
    policy = uniform(network.graph.layer_names, 8, 8)
    for equalized in (False, True):
        subject = make_subject(config, network, calibration, "auto", equalized)
        for observer in OBSERVERS:
            make = deployed(observed_by(subject, observer), capabilities())
            method = f"ncnn, {observer}{', equalized' if equalized else ''}"
            yield describe(method, "w8a8", make(policy).logits(images), wanted, images.labels)


def observed_by(subject: Subject, observer: Method) -> Subject:
    """The same with ranges by another observer."""
    known = subject.deployed
    changed = Calibrated(known.network, replace(known.ranges, method=observer))
    return replace(subject, deployed=changed)
