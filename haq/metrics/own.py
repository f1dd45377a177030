"""A metric of the user's: a function of logits and labels."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haq.own_function import blaming, import_function
from quant.errors import InputError
from quant.evaluate import Labels, Logits


@dataclass(frozen=True)
class Own:
    """`package.module:function`, called with copies of logits and labels, both numpy arrays.

    It returns one finite number, larger is better. Labels of -1 are images without a label, or
    pixels that are not to count.
    """

    name: str

    @property
    def identity(self) -> str:
        """The name and the SHA-256 of the file that holds the function."""
        return f"{self.name} {file_digest(import_function(self.name))}"

    def __call__(self, logits: Logits, labels: Labels) -> float:
        """The function's value. Raises InputError where it fails or gives no finite number."""
        function = import_function(self.name)
        with blaming(self.name):
            found = function(logits.copy(), labels.copy())
        return to_number(found, self.name)


def to_number(found: Any, name: str) -> float:
    """A finite float, from whatever is one. Raises InputError."""
    try:
        value = float(found)
    except (TypeError, ValueError, RuntimeError):
        raise InputError(f"{name} returned a {type(found).__name__}: a number is needed") from None
    if not math.isfinite(value):
        raise InputError(f"{name} returned {value}: a finite number is needed")
    return value


def file_digest(function: Callable[..., Any]) -> str:
    """SHA-256 of the file of a function, empty for what is in no file."""
    try:
        file = inspect.getsourcefile(function)
    except TypeError:
        return ""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
