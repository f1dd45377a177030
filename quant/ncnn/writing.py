"""A node that takes several ncnn layers, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quant.graph import Node
from quant.ncnn.format import NcnnLayer, Payload, Value


@dataclass(frozen=True)
class Writing:
    """A node with the blobs that it reads and gives; made names begin with the node's own."""

    node: Node
    inputs: tuple[str, ...]
    output: str

    def layer(
        self,
        type_: str,
        suffix: str,
        inputs: tuple[str, ...],
        params: Mapping[int, Value],
        payload: Payload | None = None,
    ) -> NcnnLayer:
        """A layer on the way, which gives a blob of its own name."""
        name = f"{self.node.name}_{suffix}"
        return NcnnLayer(type_, name, inputs, (name,), dict(params), payload)

    def last(
        self,
        type_: str,
        inputs: tuple[str, ...],
        params: Mapping[int, Value],
        payload: Payload | None = None,
    ) -> NcnnLayer:
        """The layer that gives what the node gives, under its name."""
        return NcnnLayer(type_, self.node.name, inputs, (self.output,), dict(params), payload)
