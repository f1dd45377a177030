"""Sony's Model Compression Toolkit: an integer program; targets are shares of the weights' memory.

Memory is that of the network at the widest of the formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bench.peers.drivers.task import (
    Found,
    Task,
    define_vision_operators,
    float_network,
    layer_names,
    run,
)

define_vision_operators()

import model_compression_toolkit as mct  # noqa: E402
from model_compression_toolkit.target_platform_capabilities import constants  # noqa: E402
from model_compression_toolkit.target_platform_capabilities.tpc_models.imx500_tpc.v1_0 import (  # noqa: E402
    tpc,
)

BATCH = 50
IMAGES = 32
"""Images of each evaluation of sensitivity, as MCT has it by default."""


def search(task: Task) -> Iterator[Found]:
    """An integer program for each target, its sensitivities measured anew: MCT keeps none."""
    activations = dict(task.formats)
    for share in task.targets:
        weights = quantize(task, share)
        yield Found(share, weights, {name: activations[bits] for name, bits in weights.items()})


def quantize(task: Task, share: float) -> dict[str, int]:
    """Weight bits by layer that need so much of the memory of the widest format."""
    network = float_network()
    names = layer_names(network)
    mixed = mct.core.MixedPrecisionQuantizationConfig(num_of_images=IMAGES)
    bound = share * task.formats[0][0] / 8 * weight_count(network, names)
    quantized, _ = mct.ptq.pytorch_post_training_quantization(
        network,
        partial(batches, task),
        core_config=mct.core.CoreConfig(mixed_precision_config=mixed),
        target_platform_capabilities=capabilities(task),
        target_resource_utilization=mct.core.ResourceUtilization(weights_memory=bound),
    )
    return read_weight_bits(quantized, names)


def capabilities(task: Task) -> Any:
    """A target with the formats' bits for weights, and otherwise as MCT's default one."""
    eight, _, default = tpc.get_op_quantization_configs()
    options = [
        eight.clone_and_edit(
            attr_to_edit={constants.KERNEL_ATTR: {constants.WEIGHTS_N_BITS: weight}}
        )
        for weight, _ in task.formats
    ]
    return tpc.generate_tpc(default, options[0], options, "haq")


def batches(task: Task) -> Iterator[list[Tensor]]:
    """The calibration images, some at a time."""
    for batch in torch.split(task.calibration, BATCH):
        yield [batch]


def weight_count(network: nn.Module, names: list[str]) -> int:
    """Weights of all layers, without biases."""
    parameters = dict(network.named_parameters())
    return sum(parameters[f"{name}.weight"].numel() for name in names)


def read_weight_bits(quantized: nn.Module, names: list[str]) -> dict[str, int]:
    """Bits of every layer; MCT writes names with `_`, and `_bn` behind where it folded."""
    wrapped = {n: m for n, m in quantized.named_modules() if hasattr(m, "weights_quantizers")}
    found = {}
    for name in names:
        plain = name.replace(".", "_")
        module: Any = wrapped.get(plain) or wrapped[f"{plain}_bn"]
        found[name] = int(module.weights_quantizers["weight"].num_bits)
    return found


if __name__ == "__main__":
    run(search)
