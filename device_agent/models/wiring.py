"""How the layers of a `.param` hang together: names, and who gives and who reads a blob."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quant.errors import FormatError
from quant.ncnn.build import INPUT_BLOB, OUTPUT_BLOB
from quant.ncnn.format import NcnnLayer

MAX_LAYERS = 4096
"""The largest published convolutional networks have fewer than a thousand."""
IMAGE_READERS = frozenset({"Convolution", "InnerProduct", "Pooling", "BinaryOp", "Split"})
"""Types that ncnn computes rightly from the caller's own memory."""
MAX_NAME = 200
"""ncnn reads 255 characters of a name, and planning appends some."""


def check_wiring(layers: Sequence[NcnnLayer]) -> None:
    """Raise FormatError unless the layers are one network from `in0` to `out0`, in order, in which
    every blob is given once, before it is read, and read once."""
    if len(layers) > MAX_LAYERS:
        raise FormatError(f"the network has {len(layers)} layers, {MAX_LAYERS} are the limit")
    if len({layer.name for layer in layers}) != len(layers):
        raise FormatError("two layers have the same name")
    if [layer.outputs for layer in layers if layer.type == "Input"] != [(INPUT_BLOB,)]:
        raise FormatError(f"the network needs exactly one Input, giving blob {INPUT_BLOB}")
    if not any(layer.is_weighted for layer in layers):
        raise FormatError("the network has no layer with weights: there is nothing to measure")
    for layer in layers:
        check_names(layer)
        check_ends(layer)
    check_blobs(layers)
    check_input(layers)


def check_names(layer: NcnnLayer) -> None:
    """Raise FormatError for a name that is too long, or has other than printable characters."""
    for name in (layer.name, *layer.inputs, *layer.outputs):
        if len(name) > MAX_NAME:
            raise FormatError(f"name {name[:40]}... has over {MAX_NAME} characters")
        if not all("!" <= character <= "~" for character in name):
            raise FormatError(f"name {ascii(name)[:80]} has characters that are not plain ASCII")


def check_ends(layer: NcnnLayer) -> None:
    """Raise FormatError unless the layer has as many inputs and outputs as its type."""
    inputs = read_count(layer)
    outputs = max(2, len(layer.outputs)) if layer.type == "Split" else 1
    if (len(layer.inputs), len(layer.outputs)) != (inputs, outputs):
        raise FormatError(
            f"layer {layer.name}: {layer.type} takes {inputs} inputs"
            f"{' or more' if layer.type == 'Concat' else ''} and gives "
            f"{outputs} outputs{' or more' if layer.type == 'Split' else ''}"
        )


def read_count(layer: NcnnLayer) -> int:
    """How many inputs a layer must have; of a Concat two at least."""
    if layer.type == "BinaryOp":
        return 1 if layer.integer(1) else 2
    of_type = {"Input": 0, "MemoryData": 0, "MatMul": 2, "Concat": max(2, len(layer.inputs))}
    return of_type.get(layer.type, 1)


def check_blobs(layers: Sequence[NcnnLayer]) -> None:
    """Raise FormatError unless every blob but the last is given once and then read once."""
    given: set[str] = set()
    unread: set[str] = set()
    for layer in layers:
        for blob in layer.inputs:
            if blob not in unread:
                raise FormatError(f"layer {layer.name} reads blob {blob}, {why_not(blob, given)}")
            unread.remove(blob)
        for blob in layer.outputs:
            if blob in given:
                raise FormatError(f"blob {blob} is given twice")
            given.add(blob)
            unread.add(blob)
    if unread != {OUTPUT_BLOB}:
        raise FormatError(
            f"the network must end in blob {OUTPUT_BLOB} alone, "
            f"but nobody reads {', '.join(sorted(unread)[:3]) or 'any'}"
        )


def why_not(blob: str, given: set[str]) -> str:
    """Why a blob cannot be read."""
    if blob in given:
        return "which was read before: put a Split between"
    return "which no layer before it gives"


def check_input(layers: Sequence[NcnnLayer]) -> None:
    """Raise FormatError where a layer reads the image itself that must not.

    The image's memory is not ncnn's own: what works in place crashes, and others read wrong numbers
    since there are no gaps between its channels.
    """
    images = {INPUT_BLOB}
    for layer in layers:
        if images.intersection(layer.inputs):
            if not may_read_image(layer):
                raise FormatError(
                    f"layer {layer.name}: {layer.type} cannot read the image itself: put a Pooling "
                    "of one pixel between"
                )
            if layer.type == "Split":
                images.update(layer.outputs)


def may_read_image(layer: NcnnLayer) -> bool:
    """Whether a layer may read the image: not one that joins it with a number, in place."""
    return layer.type in IMAGE_READERS and (layer.type != "BinaryOp" or read_count(layer) == 2)


def numbered(layers: Sequence[NcnnLayer]) -> list[NcnnLayer]:
    """The same network with blobs named b0, b1, ... but for its ends.

    Planning and profiling add blobs with names of their own, made from those of layers and blobs;
    no uploaded name can meet one of these.
    """
    blobs = [blob for layer in layers for blob in layer.outputs]
    names = {blob: f"b{index}" for index, blob in enumerate(blobs)}
    names |= {INPUT_BLOB: INPUT_BLOB, OUTPUT_BLOB: OUTPUT_BLOB}
    return [
        replace(
            layer,
            inputs=tuple(names[blob] for blob in layer.inputs),
            outputs=tuple(names[blob] for blob in layer.outputs),
        )
        for layer in layers
    ]
