"""Scores of policies by fake quantization in torch, on the CPU or a GPU."""

from __future__ import annotations

import torch
from torch import Tensor

from haq.data import Images, normalise
from haq.names import TorchDevice
from haq.prepare import Subject, quantizer_of
from quant.errors import InputError
from quant.evaluate import FakeQuantEvaluator, Metric, run_batches, runner
from quant.fake_quant import FakeQuantNet
from quant.naive import Arithmetic
from quant.ncnn.capabilities import Capabilities
from quant.policy import uniform
from quant.quantized import Quantizer


def torch_evaluator(
    subject: Subject,
    quantizer: Quantizer,
    arithmetic: Arithmetic,
    capabilities: Capabilities,
    images: Images,
    device: TorchDevice = "cpu",
    metric: Metric | None = None,
) -> FakeQuantEvaluator:
    """An evaluator of any policy; the images stay uint8. Raises InputError as `check_device`.

    `quantizer` makes layers for the arithmetic.
    """
    check_device(device)
    graph = subject.network.graph
    pixels = torch.from_numpy(images.pixels)
    floats = uniform(graph.layer_names, 32, 32)
    float_net = FakeQuantNet(graph, quantizer_of(subject, "simulated"), capabilities, device)
    float_net.prepare(floats)
    run = runner(float_net.device)
    float_logits = run_batches(
        lambda x: float_net.logits(x, floats), pixels, normalised, float_net.device, run
    )
    net = FakeQuantNet(subject.of(arithmetic).network.graph, quantizer, capabilities, device)
    return FakeQuantEvaluator(net, pixels, images.labels, float_logits, normalised, metric)


def check_device(device: TorchDevice) -> None:
    """Raise InputError where torch sees no such device.

    A GPU is kept from rounding float32, and made to answer equally each time.
    """
    if device == "cpu":
        return
    if not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no GPU here, leave it at cpu")
    # By default convolutions take TF32, whose 10 bits are fewer than an image's float32 needs.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True


def normalised(pixels: Tensor) -> Tensor:
    """float32 images of a uint8 batch, in the same memory format and where the batch is."""
    if pixels.device.type == "cpu":
        return torch.from_numpy(normalise(pixels.numpy()))
    # By a plain number, a GPU multiplies by its inverse, which rounds otherwise.
    return pixels.float().div_(torch.full((1,), 127.5, device=pixels.device)).sub_(1)
