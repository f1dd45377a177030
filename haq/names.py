"""What users call the ways in which things are done; nothing is loaded to know these names."""

from __future__ import annotations

from typing import Literal, get_args

AgentName = Literal["ddpg", "haq", "td3", "sac", "uniform", "random", "greedy", "ilp", "nsga2"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
StartName = Literal["ilp", "walk", "cold"]
RewardKind = Literal["kl", "top1"]
QuantizerName = Literal["best", "table", "naive", "kmeans"]
Padding = Literal["torch", "same"]
"""Of convolutions: symmetric, or TensorFlow's."""
