"""The float network in onnxruntime at its best: the yardstick of speed."""

from __future__ import annotations

import os

import numpy as np
import onnxruntime

from haq.prepare import Subject, quantizer_of
from quant.fake_quant import FakeQuantNet
from quant.graph import Floats
from quant.ncnn.runtime import capabilities
from quant.onnx_export import INPUT, OUTPUT, export_onnx
from quant.policy import uniform

BATCH = 1
"""Images at a time: larger batches are not faster on a CPU."""


def float_onnx(subject: Subject) -> bytes:
    """The network as ONNX."""
    graph = subject.network.graph
    net = FakeQuantNet(graph, quantizer_of(subject, "ncnn"), capabilities())
    return bytes(export_onnx(net, uniform(graph.layer_names, 32, 32)).SerializeToString())


def run_optimized(model: bytes, images: Floats, batch: int = BATCH) -> Floats:
    """Logits of normalised images, with every optimization and all cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    starts = range(0, len(images), batch)
    return np.concatenate(
        [session.run([OUTPUT], {INPUT: images[i : i + batch]})[0] for i in starts]
    )
