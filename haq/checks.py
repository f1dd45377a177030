"""Exported networks, run and held against the fake-quantized one."""

from __future__ import annotations

from typing import Any

from haq.data import Images
from haq.export import compare_executed, run_exported_ncnn, run_exported_onnx
from haq.prepare import Subject, arithmetic_of, quantizer_of, to_tensor
from haq.store.run_folder import RunFolder
from quant.evaluate import run_batches
from quant.fake_quant import FakeQuantNet
from quant.ncnn.capabilities import Capabilities
from quant.policy import Policy
from quant.quantized import Quantizer

KEYS = (
    "ncnn_param",
    "ncnn_bin",
    "onnx",
    "ncnn_top1",
    "onnx_top1",
    "ncnn_agreement",
    "onnx_agreement",
)


def check_exports(
    subject: Subject,
    policy: Policy,
    capabilities: Capabilities,
    folder: RunFolder,
    images: Images,
    quantizer: Quantizer | None = None,
) -> dict[str, Any]:
    """Run the files of `haq.export.export` on labelled images.

    Paths, top-1 and agreement by the names of KEYS; None where ncnn cannot run the policy.
    """
    arithmetic = arithmetic_of(policy)
    made = quantizer or quantizer_of(subject, arithmetic)
    net = FakeQuantNet(subject.of(arithmetic).network.graph, made, capabilities)
    fake_quant = run_batches(lambda x: net.logits(x, policy), to_tensor(images))
    onnx = compare_executed(run_exported_onnx(folder, images), fake_quant, images)
    found: dict[str, Any] = dict.fromkeys(KEYS)
    found |= {"onnx": str(folder.onnx), "onnx_top1": onnx.top1, "onnx_agreement": onnx.agreement}
    if policy.is_deployable:
        logits = run_exported_ncnn(folder, subject, policy, capabilities, images)
        ncnn = compare_executed(logits, fake_quant, images)
        found |= {"ncnn_param": str(folder.ncnn_param), "ncnn_bin": str(folder.ncnn_bin)}
        found |= {"ncnn_top1": ncnn.top1, "ncnn_agreement": ncnn.agreement}
    return found
