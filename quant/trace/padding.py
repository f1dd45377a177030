"""Pixels around an image, for all readers."""

from __future__ import annotations

from collections.abc import Sequence

from quant.details import Border, Pads
from quant.errors import ModelError
from quant.graph import Node
from quant.trace import windows
from quant.trace.builder import Builder

BORDERS: dict[str, Border] = {
    **{"zeros": "zeros", "constant": "zeros", "reflect": "reflect"},
    **{"replicate": "replicate", "edge": "replicate"},
}
"""By the names that torch's modules and functions and ONNX have for them."""


def pad(builder: Builder, name: str, source: str, pads: Sequence[int], border: Border) -> str:
    """Pixels around an image: `pads` is (left, right, top, bottom). Raises ModelError."""
    channels, height, width = builder.image_shape(name, source)
    left, right, top, bottom = pads
    if min(pads) < 0:
        raise ModelError(f"operation '{name}' crops its input, which is not supported")
    if not any(pads):
        return source
    shape = (channels, height + top + bottom, width + left + right)
    detail = Pads((left, right, top, bottom), border)
    return builder.append(Node(name, "pad", (source,), shape, detail=detail))


def unpadded(builder: Builder, source: str, pads: windows.Pads) -> tuple[str, windows.Pads]:
    """What a convolution of these pads reads, and its pads with zeros that were padded before."""
    node = builder.nodes.get(source)
    if node is None or not isinstance(node.detail, Pads) or node.detail.border != "zeros":
        return source, pads
    left, right, top, bottom = (a + b for a, b in zip(node.detail.pads, pads, strict=True))
    return node.inputs[0], (left, right, top, bottom)
