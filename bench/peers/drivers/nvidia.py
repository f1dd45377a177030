"""NVIDIA's modelopt: gradient scores and a linear program; targets are effective bits.

A layer that it does not quantize counts 16 bits; it may leave layers so on the board.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import modelopt.torch.quantization as mtq
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.peers.drivers.task import Found, Task, float_network, layer_names, run

BATCH = 50


def search(task: Task) -> Iterator[Found]:
    """A linear program for each target; scores are kept between them, as modelopt does."""
    scores = Path(mkdtemp(prefix="modelopt-")) / "scores.pth"
    for effective_bits in task.targets:
        network = float_network()
        names = layer_names(network)
        quantized = quantize(network, task, effective_bits, scores)
        yield Found(
            effective_bits,
            {name: bits_of(quantized, f"{name}.weight_quantizer") for name in names},
            {name: bits_of(quantized, f"{name}.input_quantizer") for name in names},
        )


def quantize(network: nn.Module, task: Task, effective_bits: float, scores: Path) -> nn.Module:
    """The network quantized to so many effective bits; `scores` is a file."""
    batches = make_batches(task)
    formats = [as_format(*bits) for bits in task.formats]
    everywhere = {
        "module_name_patterns": ["*"],
        "quantization_formats": formats,
        "allow_no_quant": task.setting == "board",
    }
    quantized, _ = mtq.auto_quantize(
        network,
        constraints={"effective_bits": effective_bits},
        quantization_formats=formats,
        module_search_spaces=[everywhere],
        data_loader=batches,
        forward_step=lambda model, batch: model(batch[0]),
        loss_func=lambda logits, batch: F.cross_entropy(logits, batch[1]),
        num_calib_steps=len(batches),
        num_score_steps=len(batches),
        checkpoint=str(scores),
    )
    found: nn.Module = quantized
    return found


def make_batches(task: Task) -> list[tuple[Tensor, Tensor]]:
    """Calibration images with their labels."""
    images, labels = task.calibration, task.calibration_labels
    return list(zip(torch.split(images, BATCH), torch.split(labels, BATCH), strict=True))


def as_format(weight: int, activation: int) -> dict[str, Any]:
    """A format of integers: weights by channel, activations by tensor."""
    return {
        "quant_cfg": [
            {"quantizer_name": "*weight_quantizer", "cfg": {"num_bits": weight, "axis": 0}},
            {"quantizer_name": "*input_quantizer", "cfg": {"num_bits": activation, "axis": None}},
        ],
        "algorithm": "max",
    }


def bits_of(quantized: nn.Module, name: str) -> int | None:
    """Bits of a quantizer, None where it is off."""
    quantizer: Any = quantized.get_submodule(name)
    return int(quantizer.num_bits) if quantizer.is_enabled else None


if __name__ == "__main__":
    run(search)
