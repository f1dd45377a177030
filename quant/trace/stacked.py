"""Images that are stacked only to be added up, as pyramids of segmentation networks do it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quant.errors import ModelError
from quant.trace.builder import Builder


@dataclass(frozen=True, eq=False)
class Stacked:
    """Values of one shape along an `axis` that is new. `name` is the operation's."""

    name: str
    values: tuple[Any, ...]
    axis: int


def refuse(stacked: Stacked) -> ModelError:
    """For who takes a stack as an image."""
    return ModelError(f"'{stacked.name}' is a stack of images, which can only be added up")


def add_up(builder: Builder, name: str, images: tuple[str, ...]) -> str:
    """The sum of images."""
    total, *others = images
    for number, image in enumerate(others, 1):
        label = name if number == len(others) else f"{name}_{number}"
        total = builder.add(label, [total, image])
    return total
