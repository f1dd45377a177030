"""Scores of quantized layers on held-out images, as fake quantization computes them."""

from __future__ import annotations

from functools import partial

import torch

from haq.data import Images
from haq.finetune.teacher import make_teacher
from haq.torch_evaluator import normalised
from quant.evaluate import Score, compare, run_batches, shares_right
from quant.fake_quant import FakeQuantNet
from quant.graph import Network
from quant.ncnn.runtime import capabilities
from quant.policy import Policy
from quant.quantized import QuantizedLayers
from quant.saved import SavedQuantizer


class Scorer:
    """Runs the float network once, then any layers of a policy."""

    def __init__(self, network: Network, images: Images, device: torch.device) -> None:
        self._graph, self._labels = network.graph, images.labels
        pixels = torch.from_numpy(images.pixels).contiguous(memory_format=torch.channels_last)
        self._run = partial(run_batches, images=pixels, normalise=normalised, device=device)
        self._device = device
        teacher = make_teacher(network).to(device)
        with torch.no_grad():
            self._float_logits = self._run(teacher)

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        return float(shares_right(self._float_logits, self._labels).mean())

    def score(self, layers: QuantizedLayers, policy: Policy) -> Score:
        """Top-1, KL from the float network, and agreement with it."""
        quantizer = SavedQuantizer(policy, layers)
        net = FakeQuantNet(self._graph, quantizer, capabilities(), self._device)
        logits = self._run(lambda x: net.logits(x, policy))
        return compare(logits, self._float_logits, self._labels)
