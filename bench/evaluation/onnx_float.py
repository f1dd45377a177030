"""The float network in onnxruntime at its best: the yardstick of speed."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime

from haq.prepare import Subject, quantizer_of
from quant.fake_quant import FakeQuantNet
from quant.graph import Floats
from quant.ncnn.runtime import capabilities
from quant.onnx_export import INPUT, OUTPUT, export_onnx
from quant.policy import uniform


def float_onnx(subject: Subject) -> bytes:
    """The network as ONNX."""
    graph = subject.network.graph
    net = FakeQuantNet(graph, quantizer_of(subject, "simulated"), capabilities())
    return bytes(export_onnx(net, uniform(graph.layer_names, 32, 32)).SerializeToString())


def run_optimized(model: bytes, images: Floats) -> Floats:
    """Logits of normalised images with every optimization, one at a time on each core.

    A session for each core is as fast as one session on all cores where nothing else runs, and
    does not wait for its slower half where something does. Larger batches are slower.
    """
    cores = len(os.sched_getaffinity(0))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    def run(share: Floats) -> list[Floats]:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return [session.run([OUTPUT], {INPUT: image[None]})[0] for image in share]

    with ThreadPoolExecutor(cores) as pool:
        shares = pool.map(run, np.array_split(images, cores))
        return np.concatenate([logits for share in shares for logits in share])
