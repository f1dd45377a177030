"""Policies run on images by several workers: threads here, processes here, or a Ray cluster."""

from haq.parallel._base import Evaluates, Make, Rows, StartWorkers, Task, Workers
from haq.parallel.local import LocalWorkers

__all__ = [
    "Evaluates",
    "LocalWorkers",
    "Make",
    "Rows",
    "StartWorkers",
    "Task",
    "Workers",
]
