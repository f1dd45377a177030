"""What a network begins and ends with: one image in and one output."""

from __future__ import annotations

from collections.abc import Iterable

from quant.errors import ModelError


def inputs_refused(names: Iterable[str]) -> ModelError:
    """Of a network with these inputs."""
    return refused(f"has the inputs {', '.join(names) or 'none'}")


def outputs_refused(names: Iterable[str]) -> ModelError:
    """Of a network with these outputs."""
    return refused(f"gives the outputs {', '.join(names) or 'none'}")


def refused(what: str) -> ModelError:
    """Of a network that is or does `what`."""
    return ModelError(f"the network {what}: one image in and one output are needed")
