"""AIMET's automatic mixed precision: greedy by sensitivity; targets are drops of accuracy.

Accuracy is minus the KL from the float logits, which tells networks apart that top-1 does not. The
sensitivities are kept between targets, as AIMET does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import mkdtemp
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.peers.drivers.task import (
    Found,
    Task,
    define_vision_operators,
    float_network,
    layer_names,
    run,
)

define_vision_operators()

from aimet_torch.batch_norm_fold import fold_all_batch_norms  # noqa: E402
from aimet_torch.common.defs import CallbackFunc, QuantizationDataType  # noqa: E402
from aimet_torch.mixed_precision import choose_mixed_precision  # noqa: E402
from aimet_torch.quantsim import QuantizationSimModel  # noqa: E402

IMAGES = 128
"""Validation images of each evaluation, as many as AIMET takes by default."""
BATCH = 64


def search(task: Task) -> Iterator[Found]:
    """From the widest formats down, as far as each drop allows."""
    results, activations = mkdtemp(prefix="aimet-"), dict(task.formats)
    for drop in task.targets:
        weights = quantize(task, drop, results)
        yield Found(drop, weights, {name: activations[bits] for name, bits in weights.items()})


def quantize(task: Task, drop: float, results: str) -> dict[str, int]:
    """Weight bits by layer within a drop; `results` is a folder that keeps what is known."""
    network = float_network()
    fold_all_batch_norms(network, tuple(task.calibration[:1].shape))
    simulated = simulate(network, task)
    evaluate = CallbackFunc(make_evaluation(task, network), None)
    choose_mixed_precision(
        simulated,
        task.calibration[:1],
        candidates=[as_candidate(*bits) for bits in task.formats],
        eval_callback_for_phase1=evaluate,
        eval_callback_for_phase2=evaluate,
        allowed_accuracy_drop=drop,
        results_dir=results,
        clean_start=False,
        forward_pass_callback=CallbackFunc(lambda model, _: logits(model, task.calibration), None),
        use_all_amp_candidates=True,
    )
    modules = dict(simulated.model.named_modules())
    names = layer_names(network)
    return {name: int(modules[name].param_quantizers["weight"].bitwidth) for name in names}


def simulate(network: nn.Module, task: Task) -> Any:
    """The network with AIMET's quantizers, at its widest bits and calibrated."""
    weight, activation = task.formats[0]
    simulated = QuantizationSimModel(
        network,
        task.calibration[:1],
        default_output_bw=activation,
        default_param_bw=weight,
    )
    simulated.compute_encodings(lambda model, _: logits(model, task.calibration), None)
    return simulated


def as_candidate(weight: int, activation: int) -> Any:
    """AIMET names activations first."""
    return (activation, QuantizationDataType.int), (weight, QuantizationDataType.int)


def make_evaluation(task: Task, network: nn.Module) -> Callable[[nn.Module, Any], float]:
    """Minus the KL of a model from the float network."""
    images = task.validation[:IMAGES]
    wanted = logits(network, images).log_softmax(1)

    def evaluate(model: nn.Module, _: Any) -> float:
        found = logits(model, images).log_softmax(1)
        return -float(F.kl_div(found, wanted, reduction="batchmean", log_target=True))

    return evaluate


@torch.no_grad()
def logits(model: nn.Module, images: Tensor) -> Tensor:
    """Logits (N, classes)."""
    return torch.cat([model(batch) for batch in torch.split(images, BATCH)])


if __name__ == "__main__":
    run(search)
