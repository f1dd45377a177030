"""What moves, cuts or pads pixels, as ONNX nodes."""

from __future__ import annotations

from quant.details import Border, Channels, Pads, Rows, Squares, Tokens
from quant.graph import Node
from quant.onnx_nodes import OnnxNodes

AXES = {Channels: 1, Rows: 2, Tokens: 3}
"""Of a range."""
BORDERS: dict[Border, str] = {"zeros": "constant", "reflect": "reflect", "replicate": "edge"}


def write_slice(onnx: OnnxNodes, node: Node, x: str, part: Channels | Rows | Tokens) -> str:
    """Append a range of channels, rows or columns."""
    ends = (("starts", part.start), ("ends", part.stop), ("axes", AXES[type(part)]))
    given = [onnx.integers(f"{node.name}.{word}", value) for word, value in ends]
    return onnx.node("Slice", [x, *given], node.name)


def write_squares(onnx: OnnxNodes, node: Node, x: str, squares: Squares) -> str:
    """Append squares of pixels made of channels; or into them, which ONNX has in another order."""
    name, side = node.name, squares.side
    if node.op == "pixel_shuffle":
        return onnx.node("DepthToSpace", [x], name, blocksize=side, mode="CRD")
    channels, height, width = node.shape
    inner = channels // (side * side)
    split = onnx.integers(f"{name}.split", 0, inner, height, side, width, side)
    parts = onnx.node("Reshape", [x, split], f"{name}.parts")
    moved = onnx.node("Transpose", [parts], f"{name}.moved", perm=[0, 1, 3, 5, 2, 4])
    return onnx.node("Reshape", [moved, onnx.integers(f"{name}.whole", 0, *node.shape)], name)


def write_pads(onnx: OnnxNodes, node: Node, x: str, how: Pads) -> str:
    """Append pixels around an image."""
    top, left, bottom, right = onnx_pads(how.pads)
    amounts = onnx.integers(f"{node.name}.pads", 0, 0, top, left, 0, 0, bottom, right)
    return onnx.node("Pad", [x, amounts], node.name, mode=BORDERS[how.border])


def onnx_pads(pads: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) in ONNX's order (top, left, bottom, right)."""
    left, right, top, bottom = pads
    return (top, left, bottom, right)
