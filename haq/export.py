"""A policy as files that run elsewhere, and what these files compute when run here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from haq.data import Images, normalise
from haq.engines import run_engines
from haq.prepare import Subject, arithmetic_of, quantizer_of
from haq.store.run_folder import RunFolder, make_folder, write_bytes
from quant.errors import PolicyError
from quant.fake_quant import FakeQuantNet
from quant.graph import Floats
from quant.ncnn.build import INPUT_BLOB, OUTPUT_BLOB, dump, float_layers, mixed_layers
from quant.ncnn.capabilities import Bits16, Capabilities
from quant.ncnn.format import NcnnLayer
from quant.ncnn.grouped import without_8_bits
from quant.ncnn.runtime import Engine
from quant.ncnn.runtime import capabilities as local_capabilities
from quant.onnx_export import export_onnx, run_onnx
from quant.policy import Policy
from quant.quantized import Quantizer


@dataclass(frozen=True)
class Executed:
    """An exported network run on labelled images; agreement is with the fake-quantized one."""

    top1: float
    agreement: float


def export(
    subject: Subject,
    policy: Policy,
    capabilities: Capabilities,
    folder: RunFolder,
    quantizer: Quantizer | None = None,
) -> None:
    """Write `.onnx`, and where ncnn can run the policy `.ncnn.param`, `.bin`, `metadata.yaml`.

    Raises PolicyError where the policy does not fit the network.
    """
    arithmetic = arithmetic_of(policy)
    made = quantizer or quantizer_of(subject, arithmetic)
    net = FakeQuantNet(subject.of(arithmetic).network.graph, made, capabilities)
    write_bytes(folder.onnx, export_onnx(net, policy).SerializeToString())
    if policy.is_deployable:
        param, weights = dump(ncnn_layers(subject, policy, capabilities))
        write_bytes(folder.ncnn_param, param.encode())
        write_bytes(folder.ncnn_bin, weights)
        text = yaml.safe_dump(describe(subject, policy, capabilities), sort_keys=False)
        write_bytes(folder.metadata, text.encode())


def ncnn_layers(subject: Subject, policy: Policy, capabilities: Capabilities) -> list[NcnnLayer]:
    """The mixed network for a board."""
    thresholds = subject.deployed.ranges.engine_thresholds()
    layers = float_layers(subject.deployed.network)
    return mixed_layers(layers, policy.engine_bits(), thresholds, capabilities)


def weight_bytes(subject: Subject, policy: Policy, capabilities: Capabilities) -> int:
    """Bytes of the `.bin`."""
    return len(dump(ncnn_layers(subject, policy, capabilities))[1])


def describe(subject: Subject, policy: Policy, capabilities: Capabilities) -> dict[str, Any]:
    """What somebody who has only the files must know to run them."""
    config = subject.config
    ranges = subject.of(arithmetic_of(policy)).ranges
    bits16 = bits16_of(policy, capabilities)
    lacking = [n for n in without_8_bits(subject.network.graph) if policy[n].weight == 8]
    told = {"at_32_instead_of_8_bits": sorted(lacking)} if lacking else {}
    return {
        "model": config.model,
        "classes": config.classes,
        "input": {
            "blob": INPUT_BLOB,
            "shape": [config.channels, config.input_size, config.input_size],
            "normalisation": "x / 127.5 - 1",
        },
        "output": {"blob": OUTPUT_BLOB, "meaning": "logits"},
        "ncnn": {
            "version": version("ncnn"),
            "options": {
                "use_bf16_storage": bits16 == "bf16",
                "use_fp16_packed": bits16 == "fp16",
                "use_fp16_storage": bits16 == "fp16",
                "use_fp16_arithmetic": bits16 == "fp16",
            },
        },
        "built_for": {"arch": capabilities.arch, "bits16": capabilities.bits16},
        "activation_thresholds": ranges.engine_thresholds(),
        "policy": policy.to_json(),
        **told,
    }


def bits16_of(policy: Policy, capabilities: Capabilities) -> Bits16:
    """The 16-bit type to switch on: none where no layer has 16 bits."""
    used = any(bits.weight == 16 for bits in policy.layers.values())
    return capabilities.bits16 if used else "none"


def run_exported_onnx(folder: RunFolder, images: Images) -> Floats:
    """Logits of the exported ONNX network."""
    return run_onnx(folder.onnx.read_bytes(), normalise(images.pixels))


def run_exported_ncnn(
    folder: RunFolder, subject: Subject, policy: Policy, built_for: Capabilities, images: Images
) -> Floats:
    """Logits of the exported ncnn network.

    Masks and Casts fit one kind of machine only; a network built for another kind is built again
    for this one before it is run. Raises PolicyError where ncnn cannot run the policy.
    """
    here = local_capabilities()
    if not policy.is_deployable:
        raise PolicyError("ncnn runs 8, 16 and 32 bits only: this policy is simulated")
    if (here.arch, here.bits16) == (built_for.arch, built_for.bits16):
        param, weights = folder.ncnn_param.read_text(), folder.ncnn_bin.read_bytes()
    else:
        param, weights = dump(ncnn_layers(subject, policy, here))
    engine = partial(Engine.from_memory, param, weights, bits16_of(policy, here))
    return run_engines(engine, images.pixels)


def compare_executed(logits: Floats, fake_quant: Floats, images: Images) -> Executed:
    """Top-1 of executed logits, and how often they choose the fake-quantized network's class."""
    chosen = logits.argmax(1)
    return Executed(
        top1=float((chosen == images.labels).mean()),
        agreement=float((chosen == fake_quant.argmax(1)).mean()),
    )


def open_folder(path: Path, model: str) -> RunFolder:
    """A folder for exported files. Raises InputError where it cannot be made."""
    make_folder(path)
    return RunFolder(path, model)
