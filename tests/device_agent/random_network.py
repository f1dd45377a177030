"""Networks of random layers, sizes, strides and pads; as a program, runs them at all widths.

python -m tests.device_agent.random_network FIRST LAST
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.random import Generator, default_rng

from device_agent.models.params import check_params
from device_agent.models.rearranged import Shape
from device_agent.models.shapes import output_shape
from device_agent.models.validate import read_network
from quant.errors import FormatError
from quant.ncnn.build import dump, insert_splits, mixed_layers
from quant.ncnn.format import NcnnLayer, Payload, Value
from quant.ncnn.runtime import Engine, capabilities

KINDS = (
    *("conv", "conv", "conv", "depthwise", "depthwise", "pool", "join", "linear"),
    *("relu", "clip", "sigmoid", "swish", "hardsigmoid", "hardswish"),
    *("mish", "softplus", "tanh", "elu", "prelu", "group_norm", "squares"),
    *("selu", "celu", "abs", "negative", "root", "quotient", "power", "gathered", "pad", "lrn"),
    *("gate", "spatial", "concat", "crop", "shuffle", "reshape", "interp", "deconv", "scale"),
)
ON_VECTORS = ("linear", "linear", "relu", "hardswish", "crop", "concat", "pixel", "scale", "prelu")
LARGEST = 2**14
"""Numbers in a blob: a linear layer at the end takes them all."""
OF_SIZES = ("root", "quotient", "power")
JOINS = (0, 1, 2, 4, 5)
ACTIVATIONS: tuple[dict[int, Value], ...] = ({}, {9: 1}, {9: 3, 10: (0.0, 6.0)})


def random_network(rng: Generator) -> tuple[list[NcnnLayer], tuple[int, int, int]]:
    """Layers that fit each other, and the input's shape."""
    image = (whole(rng, 1, 20), whole(rng, 1, 14), whole(rng, 1, 14))
    layers = [NcnnLayer("Input", "input", (), ("in0",))]
    shapes: dict[str, Shape] = {"in0": image}
    while len(layers) == 1:
        add(layers, shapes, random_layer(rng, "conv", "l0", "in0", shapes))
    for index in range(1, whole(rng, 1, 9)):
        source = layers[-1].outputs[0]
        kind = str(rng.choice(KINDS if len(shapes[source]) == 3 else ON_VECTORS))
        for layer in random_layers(rng, kind, f"l{index}", source, shapes):
            add(layers, shapes, layer)
    add(layers, shapes, random_layer(rng, "linear", "end", layers[-1].outputs[0], shapes))
    return only_needed(layers), image


def add(layers: list[NcnnLayer], shapes: dict[str, Shape], layer: NcnnLayer) -> None:
    """Append a layer unless it does not fit, reads one that did not, or grows too large."""
    try:
        check_params(layer)
        output = output_shape(layer, [shapes[blob] for blob in layer.inputs])
    except (FormatError, KeyError):
        return
    if np.prod(output) > LARGEST:
        return
    shapes[layer.outputs[0]] = output
    layers.append(layer)


def only_needed(layers: list[NcnnLayer]) -> list[NcnnLayer]:
    """The layers that the last one needs, with Splits, and the last blob as output."""
    needed, kept = {layers[-1].outputs[0]}, []
    for layer in reversed(layers):
        if needed.intersection(layer.outputs):
            needed.update(layer.inputs)
            kept.append(layer)
    last = kept[0]
    renamed = NcnnLayer(last.type, last.name, last.inputs, ("out0",), last.params, last.payload)
    return insert_splits([*reversed(kept[1:]), renamed])


def random_layers(
    rng: Generator, kind: str, name: str, source: str, shapes: dict[str, Shape]
) -> list[NcnnLayer]:
    """A layer that reads a blob, or the two of a gate; they may not fit it."""
    if kind == "spatial":
        return [
            NcnnLayer("Reduction", f"{name}_m", (source,), (f"{name}_m",), reduction(rng)),
            NcnnLayer(
                "BinaryOp", name, (source, f"{name}_m"), (name,), {0: int(rng.choice(JOINS))}
            ),
        ]
    if kind in OF_SIZES:
        return of_size(rng, kind, name, source)
    if kind != "gate":
        return [random_layer(rng, kind, name, source, shapes)]
    _, height, width = shapes[source]
    rows, columns = [(height, width), (1, width), (height, 1)][whole(rng, 0, 2)]
    window: dict[int, Value] = {0: 1, 1: columns, 11: rows, 5: 1}
    mean, others = f"{name}_mean", [b for b, s in shapes.items() if s == shapes[source]]
    inputs = (str(rng.choice(others)), mean)
    return [
        NcnnLayer("Pooling", mean, (source,), (mean,), window),
        NcnnLayer("BinaryOp", name, inputs, (name,), {0: int(rng.choice(JOINS))}),
    ]


def of_size(rng: Generator, kind: str, name: str, source: str) -> list[NcnnLayer]:
    """What is only possible for numbers above 0, and finite where these are not near it."""
    size = NcnnLayer("Clip", f"{name}_s", (source,), (f"{name}_s",), {0: 0.1, 1: 10.0})
    if kind == "quotient":
        return [size, NcnnLayer("BinaryOp", name, (source, *size.outputs), (name,), {0: 3})]
    root: dict[int, Value] = {0: int(rng.choice((5, 15)))}
    power: dict[int, Value] = {0: 6, 1: 1, 2: float(rng.uniform(0.3, 3))}
    how = ("UnaryOp", root) if kind == "root" else ("BinaryOp", power)
    return [size, NcnnLayer(how[0], name, size.outputs, (name,), how[1])]


def random_layer(
    rng: Generator, kind: str, name: str, source: str, shapes: dict[str, Shape]
) -> NcnnLayer:
    """A layer that reads a blob; it may not fit it."""
    shape = shapes[source]
    if kind in ("conv", "depthwise"):
        return random_conv(rng, name, source, shape[0], kind == "depthwise" and shape[0] > 1)
    if kind == "linear":
        row, outputs = int(np.prod(shape)), whole(rng, 1, 20)
        params: dict[int, Value] = {0: outputs, 1: 1, 2: outputs * row, **activation(rng)}
        payload = random_weights(rng, outputs, row)
        return NcnnLayer("InnerProduct", name, (source,), (name,), params, payload)
    if kind == "join":
        others = [blob for blob, other in shapes.items() if other == shape]
        inputs = (source, str(rng.choice(others)))
        return NcnnLayer("BinaryOp", name, inputs, (name,), {0: int(rng.choice(JOINS))})
    if kind == "concat":
        axis = whole(rng, 0, len(shape) - 1)
        same = shape[:axis] + shape[axis + 1 :]
        alike = (b for b, s in shapes.items() if len(s) > axis and s[:axis] + s[axis + 1 :] == same)
        others = [blob for blob in alike if blob != "in0"]
        more = [str(rng.choice(others)) for _ in range(whole(rng, 1, 3))]
        return NcnnLayer("Concat", name, (source, *more), (name,), {0: axis})
    if kind == "deconv":
        return random_deconv(rng, name, source, shape[0])
    if kind == "prelu":
        slopes = Payload(rng.normal(0, 1, shape[0]).astype(np.float32), None, tag=None)
        return NcnnLayer("PReLU", name, (source,), (name,), {0: shape[0]}, slopes)
    if kind == "group_norm":
        return random_group_norm(rng, name, source, shape[0])
    if kind == "scale":
        factors, shifts = rng.normal(0, 1, (2, shape[0])).astype(np.float32)
        payload = Payload(factors, shifts, tag=None)
        return NcnnLayer("Scale", name, (source,), (name,), {0: shape[0], 1: 1}, payload)
    axis = whole(rng, 0, len(shape) - 1)
    start = whole(rng, 0, shape[axis])
    types: dict[str, tuple[str, dict[int, Value]]] = {
        "relu": ("ReLU", {0: float(rng.choice((0.0, 0.1)))}),
        "clip": ("Clip", {0: -0.5, 1: 6.0}),
        "sigmoid": ("Sigmoid", {}),
        "swish": ("Swish", {}),
        "hardsigmoid": ("HardSigmoid", {0: 0.2, 1: 0.5}),
        "hardswish": ("HardSwish", {0: 1 / 6, 1: 0.5}),
        **{"mish": ("Mish", {}), "softplus": ("Softplus", {}), "tanh": ("TanH", {})},
        "elu": ("ELU", {0: 0.7}),
        **{"selu": ("SELU", {0: 1.67, 1: 1.05}), "celu": ("CELU", {0: 0.5})},
        **{"abs": ("AbsVal", {}), "negative": ("UnaryOp", {0: 1})},
        "gathered": ("Reorg", {0: whole(rng, 1, 3)}),
        "pad": ("Padding", {**{k: whole(rng, 0, 4) for k in (0, 1, 2, 3)}, 4: whole(rng, 0, 2)}),
        "lrn": ("LRN", {0: 0, 1: whole(rng, 1, 7), 2: 0.5, 3: 0.75, 4: 1.0}),
        "squares": ("PixelShuffle", {0: whole(rng, 1, 3)}),
        "pool": ("Pooling", random_pool(rng)),
        "crop": ("Crop", {9: (start,), 10: (whole(rng, start, shape[axis]),), 11: (axis,)}),
        "shuffle": ("ShuffleChannel", {0: whole(rng, 2, 8)}),
        "reshape": ("Reshape", {0: -1}),
        "pixel": ("Reshape", {0: 1, 1: 1, 2: shape[0]}),
        "interp": ("Interp", random_interp(rng)),
    }
    type_, params = types[kind]
    return NcnnLayer(type_, name, (source,), (name,), params)


def random_interp(rng: Generator) -> dict[int, Value]:
    factors: dict[int, Value] = {key: float(whole(rng, 1, 4)) for key in (1, 2)}
    sizes: dict[int, Value] = {key: whole(rng, 1, 20) for key in (3, 4)}
    how = factors if rng.random() < 0.5 else sizes
    return {0: whole(rng, 1, 2), **how, 6: whole(rng, 0, 1)}


def random_conv(rng: Generator, name: str, source: str, c_in: int, depthwise: bool) -> NcnnLayer:
    kernel, groups = (whole(rng, 1, 5), whole(rng, 1, 5)), c_in if depthwise else 1
    outputs, row = (
        (c_in if depthwise else whole(rng, 1, 24)),
        c_in // groups * kernel[0] * kernel[1],
    )
    params: dict[int, Value] = {0: outputs, 1: kernel[1], 11: kernel[0], 5: 1, 6: outputs * row}
    params |= {key: whole(rng, 1, 3) for key in (2, 12, 3, 13)}
    params |= {key: whole(rng, 0, 4) for key in (4, 14, 15, 16)}
    params |= activation(rng) | ({7: groups} if depthwise else {})
    type_ = "ConvolutionDepthWise" if depthwise else "Convolution"
    payload = random_weights(rng, outputs, row)
    return NcnnLayer(type_, name, (source,), (name,), params, payload)


def random_deconv(rng: Generator, name: str, source: str, c_in: int) -> NcnnLayer:
    groups = int(rng.choice([g for g in (1, 1, 2, 3, 4, c_in) if c_in % g == 0]))
    outputs, kernel = groups * whole(rng, 1, 6), (whole(rng, 1, 5), whole(rng, 1, 5))
    row = c_in // groups * kernel[0] * kernel[1]
    params: dict[int, Value] = {0: outputs, 1: kernel[1], 11: kernel[0], 5: 1, 6: outputs * row}
    params |= {key: whole(rng, 1, 3) for key in (2, 12, 3, 13)}
    params |= {key: whole(rng, 0, 2) for key in (4, 14, 15, 16, 18, 19)}
    type_ = "Deconvolution" if groups == 1 else "DeconvolutionDepthWise"
    params |= {} if groups == 1 else {7: groups}
    payload = random_weights(rng, outputs, row)
    return NcnnLayer(type_, name, (source,), (name,), params, payload)


def random_group_norm(rng: Generator, name: str, source: str, channels: int) -> NcnnLayer:
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    factors, shifts = rng.normal(0, 1, (2, channels)).astype(np.float32)
    params: dict[int, Value] = {0: groups, 1: channels, 2: 1e-5, 3: 1}
    payload = Payload(factors, shifts, tag=None)
    return NcnnLayer("GroupNorm", name, (source,), (name,), params, payload)


def reduction(rng: Generator) -> dict[int, Value]:
    return {0: int(rng.choice((3, 4, 8))), 1: 0, 3: (0,), 4: 1, 5: 1}


def random_pool(rng: Generator) -> dict[int, Value]:
    if rng.random() < 0.3:
        return {0: whole(rng, 0, 1), 4: 1}
    if rng.random() < 0.2:
        return {0: whole(rng, 0, 1), 7: 1, 8: whole(rng, 1, 9), 18: whole(rng, 1, 9)}
    kernel = whole(rng, 1, 4)
    pads = {key: whole(rng, 0, kernel - 1) for key in (3, 13, 14, 15)}
    return {0: whole(rng, 0, 1), 1: kernel, 2: whole(rng, 1, 3), 5: 1, 6: whole(rng, 0, 1), **pads}


def random_weights(rng: Generator, outputs: int, row: int) -> Payload:
    weight = rng.normal(0, 1, outputs * row) * 10.0 ** whole(rng, -3, 0)
    return Payload(weight.astype(np.float32), rng.normal(0, 0.1, outputs).astype(np.float32))


def activation(rng: Generator) -> dict[int, Value]:
    return ACTIVATIONS[whole(rng, 0, 2)]


def whole(rng: Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def run(seed: int) -> None:
    """Check a network, and run it at 8, 16, 32 and mixed bits."""
    rng, able = default_rng(seed), capabilities()
    layers, shape = random_network(rng)
    names = [layer.name for layer in layers if layer.is_weighted]
    ranges = {name: float(10.0 ** rng.uniform(-2, 2)) for name in names}
    param, weights = dump(layers)
    loaded = read_network(param.encode(), weights, ranges, shape)
    image = rng.uniform(-1, 1, shape).astype(np.float32)
    uniform = [dict.fromkeys(names, bits) for bits in (8, 16, 32)]
    mixed = [{name: int(rng.choice((8, 16, 32))) for name in names} for _ in range(3)]
    for policy in (*uniform, *mixed):
        files = dump(mixed_layers(loaded, policy, ranges, able))
        engine = Engine.from_memory(*files, able.bits16 if 16 in policy.values() else "none")
        output = engine.run(image)
        assert output.shape == (layers[-1].c_out,)
        assert set(policy.values()) != {32} or np.isfinite(output).all()


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        print(number, flush=True)
        run(number)
