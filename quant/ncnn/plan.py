"""Which blob has which width: fused requantization, masks and Casts between 8, 16 and 32 bits.

ncnn casts a float32 blob for a 16-bit layer by itself, but a layer masked to float32 that reads a
16-bit blob crashes: it never casts back. So the width of every blob is tracked and a Cast is put
before each masked reader of a 16-bit blob.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer

MASK_32 = 1 | 2 | 4
"""No fp16 arithmetic, no fp16 storage, no bf16 storage."""
MASK_NO_FP16_ARITHMETIC = 1
MASK_NO_WINOGRAD = 64
QUOTIENT_AND_POWER = (3, 6)
"""Operations of a BinaryOp."""
LEAST_FP16 = 2.0**-14
"""The least normal number of 16 bits."""
CONVOLUTIONS = ("Convolution", "ConvolutionDepthWise")


@dataclass(frozen=True)
class Plan:
    """Layers with masks and Casts, and the width of every blob (8, 16 or 32)."""

    layers: tuple[NcnnLayer, ...]
    blob_bits: Mapping[str, int]


def readers(layers: Sequence[NcnnLayer]) -> dict[str, list[NcnnLayer]]:
    """Layers that read each blob."""
    found: dict[str, list[NcnnLayer]] = {}
    for layer in layers:
        for blob in layer.inputs:
            found.setdefault(blob, []).append(layer)
    return found


def requantized(
    layers: Sequence[NcnnLayer], bits: Mapping[str, int], scales: Mapping[str, float]
) -> dict[str, float]:
    """Output scale of every int8 convolution whose output may stay int8.

    Allowed only where all readers are int8 convolutions with one and the same input scale,
    directly or behind one Split.
    """
    by_blob = readers(layers)
    fused = {}
    for layer in layers:
        if layer.type in CONVOLUTIONS and bits.get(layer.name) == 8:
            ends = final_readers(layer.outputs[0], by_blob)
            if all(end.type in CONVOLUTIONS and bits.get(end.name) == 8 for end in ends):
                wanted = {scales[end.name] for end in ends}
                if len(wanted) == 1:
                    fused[layer.name] = wanted.pop()
    return fused


def final_readers(blob: str, by_blob: Mapping[str, list[NcnnLayer]]) -> list[NcnnLayer]:
    """Readers of a blob, looking through one Split."""
    direct = by_blob.get(blob, [])
    if len(direct) == 1 and direct[0].type == "Split":
        return [end for copy in direct[0].outputs for end in by_blob.get(copy, [])]
    return direct


def plan_precision(
    layers: Sequence[NcnnLayer],
    bits: Mapping[str, int],
    capabilities: Capabilities,
    fused: Mapping[str, float],
) -> Plan:
    """Place masks and Casts so that every layer runs at its bits.

    Without a 16-bit layer (or a board without 16-bit types) there is nothing to mask.
    """
    if capabilities.bits16 == "none" or 16 not in bits.values():
        return Plan(tuple(layers), plain_bits(layers, fused))
    placed: list[NcnnLayer] = []
    blob_bits: dict[str, int] = {}
    for layer in layers:
        for done in place(layer, bits, capabilities, fused, blob_bits):
            placed.append(done)
    return Plan(tuple(placed), blob_bits)


def plain_bits(layers: Sequence[NcnnLayer], fused: Mapping[str, float]) -> dict[str, int]:
    """Blob widths of a network of float32 and int8 layers."""
    found: dict[str, int] = {}
    for layer in layers:
        through = layer.type == "Split" and found[layer.inputs[0]] == 8
        width = 8 if layer.name in fused or through else 32
        found.update(dict.fromkeys(layer.outputs, width))
    return found


def place(
    layer: NcnnLayer,
    bits: Mapping[str, int],
    capabilities: Capabilities,
    fused: Mapping[str, float],
    blob_bits: dict[str, int],
) -> list[NcnnLayer]:
    """The layer with its mask, behind the Casts that it needs; records its outputs' widths."""
    if layer.type == "Input":
        blob_bits.update(dict.fromkeys(layer.outputs, 32))
        return [layer]
    if layer.type == "Split":
        # A Split passes any type through, so a mask is safe and keeps it from converting.
        blob_bits.update(dict.fromkeys(layer.outputs, blob_bits[layer.inputs[0]]))
        return [layer.with_params(p31=MASK_32)]
    if runs_at_16(layer, bits, capabilities, blob_bits):
        blob_bits.update(
            dict.fromkeys(layer.outputs, output_bits(layer, bits, capabilities, fused))
        )
        is_fp16 = capabilities.bits16 == "fp16" and bits.get(layer.name) == 16
        return [without_bad_kernels(layer) if is_fp16 else layer]
    casts, inputs = cast_inputs(layer, capabilities, blob_bits)
    width = 8 if layer.name in fused else 32
    blob_bits.update(dict.fromkeys(layer.outputs, width))
    return [*casts, replace(layer.with_params(p31=MASK_32), inputs=inputs)]


def runs_at_16(
    layer: NcnnLayer,
    bits: Mapping[str, int],
    capabilities: Capabilities,
    blob_bits: Mapping[str, int],
) -> bool:
    """Whether the layer stays unmasked.

    Chosen for weighted layers; int8 ones follow their input; weights that stay float are float32,
    and so is what needs the range of that; all others need all inputs at 16. A weighted layer
    without a 16-bit path is always masked: unmasked, the convolutions that ncnn makes of a grouped
    one have 16-bit weights, read its float32 input past the end, and may crash.
    """
    chosen = bits.get(layer.name, 32) if layer.has_weights else None
    if (
        chosen == 32
        or needs_range(layer)
        or (layer.is_weighted and layer.type not in capabilities.types16)
    ):
        return False
    return chosen == 16 or all(blob_bits[blob] == 16 for blob in layer.inputs)


def needs_range(layer: NcnnLayer) -> bool:
    """Whether a layer gives or takes what fp16 may not hold: roots, quotients, powers, tiny limits.

    So do those on bf16, whose quotients and roots have two digits.
    """
    if layer.type == "BinaryOp":
        return layer.integer(0) in QUOTIENT_AND_POWER
    limit = layer.params.get(0, 0.0)
    tiny = layer.type == "Clip" and isinstance(limit, float) and 0 < limit < LEAST_FP16
    return tiny or layer.type == "UnaryOp"


def output_bits(
    layer: NcnnLayer,
    bits: Mapping[str, int],
    capabilities: Capabilities,
    fused: Mapping[str, float],
) -> int:
    """Width that an unmasked layer leaves behind."""
    if layer.name in fused:
        return 8
    int8 = layer.is_weighted and bits.get(layer.name) == 8
    able = capabilities.int8_output16 if int8 else capabilities.types16
    # Of pools ncnn computes the adaptive ones in float32 alone.
    adaptive = layer.type == "Pooling" and layer.integer(7)
    return 16 if layer.type in able and not adaptive else 32


def cast_inputs(
    layer: NcnnLayer, capabilities: Capabilities, blob_bits: dict[str, int]
) -> tuple[list[NcnnLayer], tuple[str, ...]]:
    """Casts for the 16-bit inputs of a masked layer, and the names that it reads instead."""
    casts, inputs = [], []
    source, target = capabilities.cast_params
    for index, blob in enumerate(layer.inputs):
        if blob_bits[blob] != 16:
            inputs.append(blob)
            continue
        renamed = f"{layer.name}_in{index}_f32"
        casts.append(NcnnLayer("Cast", renamed, (blob,), (renamed,), {0: source, 1: target}))
        blob_bits[renamed] = 32
        inputs.append(renamed)
    return casts, tuple(inputs)


def without_bad_kernels(layer: NcnnLayer) -> NcnnLayer:
    """Mask what goes wrong in fp16 arithmetic.

    Winograd, on dense 3x3 stride-1 layers, loses two digits. Depthwise 3x3 layers of stride 2 read
    a wrong row in some columns (ncnn 1.0.20261020); with fp16 storage alone they are right.
    """
    kernel, stride = layer.integer(1), layer.integer(3, 1)
    if layer.type == "Convolution" and (kernel, stride) == (3, 1):
        return layer.with_params(p31=MASK_NO_WINOGRAD)
    if layer.type == "ConvolutionDepthWise" and (kernel, stride) == (3, 2):
        return layer.with_params(p31=MASK_NO_FP16_ARITHMETIC)
    return layer
