"""What users call agents and the policies to begin with; no agent is loaded to know its name."""

from __future__ import annotations

from typing import Literal, get_args

AgentName = Literal["ddpg", "haq", "td3", "sac", "uniform", "random", "greedy", "ilp", "nsga2"]
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
StartName = Literal["ilp", "walk", "cold"]
