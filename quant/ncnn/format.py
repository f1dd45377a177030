"""The ncnn text `.param` and its `.bin`: layers in, bytes out, and back.

Rules of the format, as ncnn 1.0.2026 reads them: magic 7767517, then the number of layers and
blobs, then a line a layer: `type name inputs outputs input-names output-names key=value ...`.
The `.bin` holds, per weighted layer: u32 tag, weights padded to 4 bytes (or 256 float32 values and
an index of a byte for each weight, padded), float32 bias, and for int8 the weight scales, the input
scale and, where the output is requantized, the output scale.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from quant.errors import FormatError

MAGIC = "7767517"
TAG_FP32, TAG_FP16, TAG_INT8 = 0, 0x01306B47, 0x000D4B38
TAG_CODEBOOK = 0x100
"""ncnn reads a codebook after every tag that is not zero and that it does not know."""
CODEBOOK = 256
WEIGHTED = ("Convolution", "ConvolutionDepthWise", "InnerProduct")
UNTAGGED = ("Scale", "PReLU", "LayerNorm", "GroupNorm", "MemoryData")
FLOAT_WEIGHTED = ("Deconvolution", "DeconvolutionDepthWise", *UNTAGGED)
"""Types with weights that stay float32; those of some have no tag before them."""
WEIGHT_COUNT_KEYS = {"InnerProduct": 2, "Scale": 0, "PReLU": 0, "LayerNorm": 0, "GroupNorm": 1}
"""Where it is not 6."""
BIAS_KEYS = {"InnerProduct": 1, "Scale": 1, "LayerNorm": 2, "GroupNorm": 3}
"""Where it is not 5."""
ARRAY_KEY = 23300
MASK_KEY = 31
INT8_TERM_KEY = 8
REQUANTIZE_TERM = 100
MAX_DIGITS = 32
"""Characters of a number; ncnn itself reads 15."""
INTEGER = re.compile(r"[+-]?[0-9]+")
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

Value = int | float | tuple[int | float, ...]


@dataclass(frozen=True)
class Int8:
    """Quantized weights: int8 values, a scale a row, the input scale, the output scale if any."""

    values: NDArray[np.int8]
    weight_scales: NDArray[np.float32]
    input_scale: float
    output_scale: float | None = None


@dataclass(frozen=True)
class Codebook:
    """Weights as float32 `values` (256,) and uint8 indexes (flat); ncnn computes with float32."""

    values: NDArray[np.float32]
    indexes: NDArray[np.uint8]


@dataclass(frozen=True)
class Payload:
    """What the `.bin` holds for a layer: float32 weights (flat) with their tag, int8, a codebook.

    What has no tag (`UNTAGGED`) has None.
    """

    weight: NDArray[np.float32] | None
    bias: NDArray[np.float32] | None
    tag: int | None = TAG_FP32
    int8: Int8 | None = None
    codebook: Codebook | None = None


@dataclass(frozen=True)
class NcnnLayer:
    """A line of the `.param`, and the layer's weights if it has any."""

    type: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: dict[int, Value] = field(default_factory=dict)
    payload: Payload | None = None

    @property
    def is_weighted(self) -> bool:
        """Whether the layer has a precision of its own."""
        return self.type in WEIGHTED

    @property
    def has_weights(self) -> bool:
        """Whether the `.bin` holds something for the layer."""
        return self.is_weighted or self.type in FLOAT_WEIGHTED

    def integer(self, key: int, default: int = 0) -> int:
        """An integer parameter. Raises FormatError if it is something else."""
        value = self.params.get(key, default)
        if not isinstance(value, int):
            raise FormatError(f"layer {self.name}: parameter {key} must be an integer")
        return value

    @property
    def c_out(self) -> int:
        """Output channels."""
        return self.integer(0)

    @property
    def weight_count(self) -> int:
        """Number of weights without bias."""
        if self.type == "MemoryData":
            return self.integer(0) * self.integer(1) * self.integer(2)
        return self.integer(WEIGHT_COUNT_KEYS.get(self.type, 6))

    @property
    def has_bias(self) -> bool:
        """Whether a bias follows the weights."""
        return self.integer(BIAS_KEYS.get(self.type, 5)) != 0

    @property
    def scale_count(self) -> int:
        """Weight scales at int8: one a group for grouped convolutions, else one a channel."""
        return self.integer(7, 1) if self.type == "ConvolutionDepthWise" else self.c_out

    def with_params(self, **changes: Value) -> NcnnLayer:
        """The layer with parameters set, written as `p31=7`."""
        return replace(self, params={**self.params, **{int(k[1:]): v for k, v in changes.items()}})


def dump_param(layers: Sequence[NcnnLayer]) -> str:
    """Text of the `.param`."""
    blobs = {blob for layer in layers for blob in layer.outputs}
    lines = [MAGIC, f"{len(layers)} {len(blobs)}", *(dump_line(layer) for layer in layers)]
    return "\n".join(lines) + "\n"


def dump_line(layer: NcnnLayer) -> str:
    """One layer; arrays are written as `-(23300 + key)=count,values`."""
    counts = f"{len(layer.inputs)} {len(layer.outputs)}"
    words = [f"{layer.type:<24} {layer.name:<24} {counts}", *layer.inputs, *layer.outputs]
    for key, value in sorted(layer.params.items()):
        if isinstance(value, tuple):
            items = ",".join([str(len(value)), *(dump_number(v) for v in value)])
            words.append(f"-{ARRAY_KEY + key}={items}")
        else:
            words.append(f"{key}={dump_number(value)}")
    return " ".join(words)


def dump_number(value: int | float) -> str:
    """Floats as %e, which is how ncnn tells them from integers."""
    return f"{value:e}" if isinstance(value, float) else str(value)


def parse_param(text: str) -> list[NcnnLayer]:
    """Layers of a text `.param`, without weights. Raises FormatError."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0].strip() != MAGIC:
        raise FormatError("not a text .param: the first line must be 7767517")
    layers = [parse_line(line) for line in lines[2:]]
    blobs = {blob for layer in layers for blob in layer.outputs}
    if lines[1].split() != [str(len(layers)), str(len(blobs))]:
        raise FormatError(f".param announces '{lines[1][:80]}', holds {len(layers)} {len(blobs)}")
    return layers


def parse_line(line: str) -> NcnnLayer:
    """One layer from its line."""
    try:
        type_, name, n_in, n_out, *rest = line.split()
        inputs, outputs = parse_integer(n_in), parse_integer(n_out)
        if inputs < 0 or outputs < 0 or inputs + outputs > len(rest):
            raise ValueError("wrong number of blobs")
        params = parse_params(rest[inputs + outputs :])
    except ValueError as error:
        raise FormatError(f"unreadable .param line '{line[:80]}': {error}") from None
    return NcnnLayer(
        type_, name, tuple(rest[:inputs]), tuple(rest[inputs : inputs + outputs]), params
    )


def parse_params(words: Sequence[str]) -> dict[int, Value]:
    """Parameters by key, each given once; raises ValueError."""
    params = dict(parse_param_word(word) for word in words)
    if len(params) != len(words):
        raise ValueError("a parameter is given twice")
    return params


def parse_param_word(word: str) -> tuple[int, Value]:
    """`key=value`; raises ValueError."""
    key_text, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"'{word[:20]}' is not key=value")
    key = parse_integer(key_text)
    if key > -ARRAY_KEY:
        return key, parse_number(value)
    count, *items = value.split(",")
    if parse_integer(count) != len(items):
        raise ValueError(f"array of {count} holds {len(items)}")
    return -key - ARRAY_KEY, tuple(parse_number(item) for item in items)


def parse_number(text: str) -> int | float:
    """An integer, or a float when written like one; finite. Raises ValueError."""
    if not any(c in text for c in ".eE"):
        return parse_integer(text)
    if len(text) > MAX_DIGITS or not FLOAT.fullmatch(text) or math.isinf(float(text)):
        raise ValueError(f"'{text[:20]}' is not a number")
    return float(text)


def parse_integer(text: str) -> int:
    """An integer in plain digits, without Python's underscores and other scripts."""
    if len(text) > MAX_DIGITS or not INTEGER.fullmatch(text):
        raise ValueError(f"'{text[:20]}' is not a whole number")
    return int(text)


def dump_bin(layers: Sequence[NcnnLayer]) -> bytes:
    """Bytes of the `.bin`."""
    return b"".join(dump_payload(layer.payload) for layer in layers if layer.payload)


def dump_payload(payload: Payload) -> bytes:
    """Tag, weights, bias and int8 scales of one layer."""
    quantized = payload.int8
    values: NDArray[np.generic]
    if quantized is not None:
        values = quantized.values
    elif payload.codebook is not None:
        table = payload.codebook.values.astype("<f4")
        values = np.concatenate([table.view(np.uint8), payload.codebook.indexes])
    else:
        assert payload.weight is not None
        values = payload.weight.astype("<f2" if payload.tag == TAG_FP16 else "<f4")
    tag = b"" if payload.tag is None else struct.pack("<I", payload.tag)
    parts = [tag, pad4(values.tobytes())]
    if payload.bias is not None:
        parts.append(payload.bias.astype("<f4").tobytes())
    if quantized is not None:
        parts.append(quantized.weight_scales.astype("<f4").tobytes())
        parts.append(struct.pack("<f", quantized.input_scale))
        if quantized.output_scale is not None:
            parts.append(struct.pack("<f", quantized.output_scale))
    return b"".join(parts)


def pad4(data: bytes) -> bytes:
    """Zeros up to a multiple of four bytes."""
    return data + b"\0" * (-len(data) % 4)


class Reader:
    """Takes arrays off a buffer in order; running short is a FormatError."""

    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0

    def take(self, dtype: str, count: int) -> NDArray[np.generic]:
        """`count` values; the position moves on to the next multiple of four bytes."""
        size = np.dtype(dtype).itemsize * count
        if count < 0 or self.offset + size > len(self.data):
            raise FormatError(f".bin is too short: {len(self.data)} bytes, more are needed")
        array = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += size + (-size % 4)
        return array

    def floats(self, count: int) -> NDArray[np.float32]:
        """`count` float32 values."""
        return self.take("<f4", count).astype(np.float32)


def load_bin(layers: Sequence[NcnnLayer], data: bytes) -> list[NcnnLayer]:
    """Layers with the weights of a `.bin`, whose length must fit exactly."""
    reader = Reader(data)
    loaded = [
        replace(layer, payload=read_payload(layer, reader)) if layer.has_weights else layer
        for layer in layers
    ]
    if reader.offset != len(data):
        raise FormatError(f".bin has {len(data)} bytes, its .param needs {reader.offset}")
    return loaded


def read_payload(layer: NcnnLayer, reader: Reader) -> Payload:
    """Weights of one layer by its tag, if it has one."""
    if layer.type in UNTAGGED:
        weight = reader.floats(layer.weight_count)
        return Payload(weight, reader.floats(len(weight)) if layer.has_bias else None, tag=None)
    tag = int(reader.take("<u4", 1)[0])
    count = layer.weight_count
    term = layer.integer(INT8_TERM_KEY)
    if (tag == TAG_INT8) != (term != 0):
        raise FormatError(f"layer {layer.name}: tag {tag:#x} does not go with scale term {term}")
    if tag == TAG_INT8:
        values = reader.take("i1", count).astype(np.int8)
        bias = reader.floats(layer.c_out) if layer.has_bias else None
        scales = reader.floats(layer.scale_count)
        input_scale = float(reader.floats(1)[0])
        output = float(reader.floats(1)[0]) if term > REQUANTIZE_TERM else None
        return Payload(None, bias, tag, Int8(values, scales, input_scale, output))
    if tag == TAG_CODEBOOK:
        codebook = Codebook(reader.floats(CODEBOOK), reader.take("u1", count).astype(np.uint8))
        bias = reader.floats(layer.c_out) if layer.has_bias else None
        return Payload(None, bias, tag, codebook=codebook)
    if tag == TAG_FP16:
        weight = reader.take("<f2", count).astype(np.float32)
    elif tag == TAG_FP32:
        weight = reader.floats(count)
    else:
        raise FormatError(f"layer {layer.name}: unknown weight tag {tag:#x}")
    return Payload(weight, reader.floats(layer.c_out) if layer.has_bias else None, tag)
