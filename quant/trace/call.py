"""One call in a traced network, as the tables of modules and functions take it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from quant.trace.builder import Builder
from quant.trace.views import Shape


@dataclass(frozen=True)
class Call:
    """What is called, with what, and what comes of it.

    In `args` and `kwargs` tensors stand as the builder's names; in `values` as tensors without
    numbers. `target` is the module's name, or the function's; `scope` that of the module that calls
    a function. What does not depend on the image stands as it is.
    """

    builder: Builder
    name: str
    target: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    values: tuple[Any, ...]
    result: Any
    scope: str = ""

    @property
    def source(self) -> str:
        """The first tensor that it reads."""
        return str(self.args[0] if self.args else self.kwargs["input"])

    @property
    def shape(self) -> Shape:
        """Shape of its result for one image."""
        return tuple(self.result.shape[1:])

    @property
    def before(self) -> Tensor:
        """The first tensor that it reads, without numbers."""
        found: Tensor = self.values[0]
        return found

    @property
    def label(self) -> str:
        """A name for a function's node by the module that calls it, with a number if need be."""
        if not self.scope:
            return self.name
        first = f"{self.scope}.{re.sub(r'_[0-9]+$', '', self.name)}"
        return first if first not in self.builder.nodes else f"{self.scope}.{self.name}"

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[index] if len(self.args) > index else self.kwargs.get(name, default)

    def axis(self, axis: int) -> int:
        """An axis of the first tensor, counted from the front."""
        return axis % self.before.ndim
