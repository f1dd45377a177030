"""What users call the ways in which things are done; nothing is loaded to know these names."""

from __future__ import annotations

from typing import Literal, get_args

AgentName = Literal["ddpg", "haq", "td3", "sac", "uniform", "random", "greedy", "ilp", "nsga2"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
StartName = Literal["ilp", "walk", "cold"]
RewardKind = Literal["kl", "top1", "metric"]
MetricName = Literal["top1", "top5", "miou", "f1"]
METRICS: tuple[MetricName, ...] = get_args(MetricName)
"""What haq can judge a network by, beside its divergence."""
DATA_AT_HAND = ("sample", "faces")
"""Images that haq has wherever it runs; other sets must be on disk."""
TorchDevice = Literal["cpu", "cuda"]
"""Where torch computes."""
QuantizerName = Literal["best", "table", "naive", "kmeans"]
NetworkName = Literal[
    "mbv1",
    "mbv2",
    "mbv3_small",
    "mbv3_large",
    "proxyless_mobile",
    "proxyless_mobile_14",
    "proxyless_gpu",
    "proxyless_cpu",
    "mnasnet_a1",
    "mnasnet_b1",
    "spnasnet",
    "fbnet_c",
    "lite0",
    "resnet18",
    "resnet50",
    "shufflenet_v2",
    "squeezenet",
    "vit_tiny",
    "mbv2_seg",
]
NETWORKS: tuple[NetworkName, ...] = get_args(NetworkName)
"""What haq can build."""
ModelFile = Literal["onnx", "pt2"]
MODEL_FILES: tuple[ModelFile, ...] = get_args(ModelFile)
"""Endings of files that hold a network of the user's and its weights."""
Padding = Literal["torch", "same"]
"""Of convolutions: symmetric, or TensorFlow's."""


OWN_SIDES = {"mbv2": 32, "mbv2_seg": 64}
PUBLISHED_SIDE = 224
"""Pixels a side of the images that weights of networks were made for."""
WITH_PUBLISHED_WEIGHTS = ("lite0",)
"""Networks that may have weights without being given any."""
MANY_UP_TO_SIDE = 64
FEW = ":0-499"


def usual_data(model: str) -> str:
    """Images of haq's own for a network, where none are named: one of `DATA_AT_HAND`."""
    return "faces" if model == "mbv2_seg" else "sample"


def usual_search_data(model: str, weights_given: bool, input_size: int | None) -> str:
    """The same for a search: the first few where each image takes tens of times as long.

    Random weights are made for the images, and of the user's own networks nothing is known here.
    """
    published = model in WITH_PUBLISHED_WEIGHTS or (weights_given and model in NETWORKS)
    side = input_size or (OWN_SIDES.get(model, PUBLISHED_SIDE) if published else 0)
    return f"{usual_data(model)}{FEW if side > MANY_UP_TO_SIDE else ''}"
