"""Quantization-aware training after the search: learned steps, distillation, by stages."""

from haq.finetune.checkpoint import Task
from haq.finetune.recipe import Recipe, Stages
from haq.finetune.run import Report, finetune
from haq.finetune.training import Epoch, train

__all__ = ["Epoch", "Recipe", "Report", "Stages", "Task", "finetune", "train"]
