"""A function of the user's, written as `package.module:function`.

Importing a module runs it. So such a name is only ever taken from the command line of the user's
own machine, never from a request to the service.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from traceback import extract_tb
from typing import Any

from quant.errors import InputError, one_line

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_function_name(text: str) -> bool:
    """Whether a text is written as `package.module:function`."""
    return NAME.fullmatch(text) is not None


def import_function(name: str) -> Callable[..., Any]:
    """The function, from a module in the working directory or an installed one.

    Raises InputError where there is no such module or function, or importing it fails.
    """
    module_name, _, function_name = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    with blaming(name, "cannot be imported"):
        module = import_module(module_name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InputError(f"{name}: {module_name} has no function {function_name}")
    return function  # type: ignore[no-any-return]


@contextmanager
def blaming(name: str, what: str = "failed") -> Iterator[None]:
    """Whatever the user's code raises meanwhile becomes one line that names it: an InputError."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise InputError(f"{name} {what}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Kind, text and place of an error, on one line."""
    frames = extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {one_line(error)}{place}"
