"""Shared weights as files, and what these files compute when run here.

The packed file is the size that is counted. ncnn takes an index of a byte for each weight and
computes in float32, ONNX takes float weights: below 8 bits the size is for storage only.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import yaml

from haq.data import Images, normalise
from haq.engines import run_engines
from haq.export import compare_executed, describe
from haq.prepare import Subject, to_tensor
from haq.store.run_folder import RunFolder, write_bytes
from quant.evaluate import run_batches
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.naive import NaiveQuantizer
from quant.ncnn.build import dump, shared_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.runtime import Engine
from quant.onnx_export import export_onnx, run_onnx
from quant.packed import dump_packed, header_bytes
from quant.policy import FLOAT_BITS, Policy, uniform
from quant.shared import SharedLayers, to_network

DEPLOYMENT = (
    "ncnn computes shared weights in float32 and keeps an index of a byte for each: "
    "below 8 bits the packed size is for storage only"
)


def export_shared(
    subject: Subject, policy: Policy, shared: SharedLayers, folder: RunFolder
) -> None:
    """Write the packed file, `.ncnn.param`, `.ncnn.bin`, `metadata.yaml` and `.onnx`."""
    graph = subject.network.graph
    write_bytes(folder.packed, dump_packed(shared))
    param, weights = dump(shared_layers(graph, shared))
    write_bytes(folder.ncnn_param, param.encode())
    write_bytes(folder.ncnn_bin, weights)
    metadata = describe(subject, policy, Capabilities()) | {"shared_weights": DEPLOYMENT}
    write_bytes(folder.metadata, yaml.safe_dump(metadata, sort_keys=False).encode())
    floats = NaiveQuantizer(to_network(graph, shared), subject.ranges, "ncnn")
    net = FakeQuantNet(graph, floats, Capabilities())
    model = export_onnx(net, uniform(graph.layer_names, FLOAT_BITS, FLOAT_BITS))
    write_bytes(folder.onnx, model.SerializeToString())


def check_shared(
    subject: Subject, shared: SharedLayers, folder: RunFolder, images: Images
) -> dict[str, Any]:
    """Run the files of `export_shared` on labelled images.

    Beside the names of `haq.checks.KEYS`, where agreement is with the shared weights in torch:
    the bytes of the files and what they are good for.
    """
    network = to_network(subject.network.graph, shared)
    wanted = run_batches(FloatNet(network).logits, to_tensor(images))
    param, weights = folder.ncnn_param.read_text(), folder.ncnn_bin.read_bytes()
    in_ncnn = run_engines(partial(Engine.from_memory, param, weights), images.pixels)
    ncnn = compare_executed(in_ncnn, wanted, images)
    in_onnx = run_onnx(folder.onnx.read_bytes(), normalise(images.pixels))
    onnx = compare_executed(in_onnx, wanted, images)
    packed = folder.packed.read_bytes()
    return {
        "ncnn_param": str(folder.ncnn_param),
        "ncnn_bin": str(folder.ncnn_bin),
        "onnx": str(folder.onnx),
        "ncnn_top1": ncnn.top1,
        "onnx_top1": onnx.top1,
        "ncnn_agreement": ncnn.agreement,
        "onnx_agreement": onnx.agreement,
        "packed": str(folder.packed),
        "packed_bytes": len(packed) - header_bytes(packed),
        "ncnn_bytes": len(weights),
        "deployment": DEPLOYMENT,
    }
