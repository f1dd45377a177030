"""Parameters that a layer of the `.param` may have: which, of what kind, and within what bounds.

Numbers, defaults and meanings are those of ncnn 1.0.2026. Kinds matter: ncnn reads the bits of an
integer as a float where it expects one, and the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from quant.errors import FormatError
from quant.ncnn.format import INT8_TERM_KEY, MASK_KEY, NcnnLayer, Value
from quant.ncnn.operations import FLOAT32_MAX

ACTIVATION_KEY, LIMITS_KEY = 9, 10
ACTIVATION_LIMITS = {0: 0, 1: 0, 3: 2}
"""Numbers that an activation takes: none, ReLU, clip."""
REFUSED = {
    MASK_KEY: "the network has masks (31=): register it without, they are planned here",
    INT8_TERM_KEY: "the network is already int8 (8=): register the float network",
}


@dataclass(frozen=True)
class Whole:
    """An integer from `low` to `high`."""

    name: str
    low: int
    high: int
    required: bool = False

    def accepts(self, value: Value) -> bool:
        """Whether the value is one of these."""
        return isinstance(value, int) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True)
class Choice:
    """One of a few integers."""

    name: str
    values: tuple[int, ...]
    required: bool = False

    def accepts(self, value: Value) -> bool:
        """Whether the value is one of these."""
        return isinstance(value, int) and value in self.values

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"


@dataclass(frozen=True)
class Real:
    """A float from `low` to `high`, written like one."""

    name: str
    low: float = -FLOAT32_MAX
    high: float = FLOAT32_MAX
    required: bool = False

    def accepts(self, value: Value) -> bool:
        """Whether the value is one of these."""
        return isinstance(value, float) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a float from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Bounds:
    """An array of floats, none greater than the next."""

    name: str
    required: bool = False

    def accepts(self, value: Value) -> bool:
        """Whether the value is such an array."""
        real = isinstance(value, tuple) and all(Real(self.name).accepts(v) for v in value)
        return real and list(value) == sorted(value)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return "an array of floats, the least first"


@dataclass(frozen=True)
class Index:
    """An array of one whole number from 0 to `high`."""

    name: str
    high: int
    required: bool = False

    def accepts(self, value: Value) -> bool:
        """Whether the value is such an array."""
        return (
            isinstance(value, tuple)
            and len(value) == 1
            and isinstance(value[0], int)
            and 0 <= value[0] <= self.high
        )

    def __str__(self) -> str:
        return f"an array of one whole number from 0 to {self.high}"


Rule = Whole | Choice | Real | Bounds | Index

# Far beyond any published network. What is large in several ways at once meets the limits of
# `device_agent.models.shapes` on numbers and operations.
OUTPUTS = Whole("outputs", 1, 2**17, required=True)
WEIGHTS = Whole("weights", 1, 2**31 - 1, required=True)
GROUPS = Whole("groups", 2, 2**17, required=True)
KERNEL = Whole("kernel", 1, 128)
STRIDE = Whole("stride", 1, 128)
DILATION = Whole("dilation", 1, 128)
PAD = Whole("pad", 0, 1024)
BIAS = Choice("bias", (0, 1))
CHANNELS = 2**17
SIDE = 2**24
FACTOR, RESIZED = Real("factor", 1.0, 64.0), Whole("side of the output", 1, SIDE)
STEEPNESS, OFFSET = Real("steepness", 1e-3, 1e3), Real("offset", -1e3, 1e3)
ACTIVATION: dict[int, Rule] = {
    ACTIVATION_KEY: Choice("activation", tuple(ACTIVATION_LIMITS)),
    LIMITS_KEY: Bounds("limits of the activation"),
}
CONVOLUTION: dict[int, Rule] = {
    **{0: OUTPUTS, 1: Whole("kernel", 1, 128, required=True), 11: KERNEL, 5: BIAS, 6: WEIGHTS},
    **{2: DILATION, 12: DILATION, 3: STRIDE, 13: STRIDE, 4: PAD, 14: PAD, 15: PAD, 16: PAD},
    **ACTIVATION,
}
CELLS = Whole("cells of an adaptive pool", 1, SIDE)
POOLING: dict[int, Rule] = {
    **{0: Choice("kind", (0, 1)), 1: KERNEL, 11: KERNEL, 2: STRIDE, 12: STRIDE},
    **{3: PAD, 13: PAD, 14: PAD, 15: PAD, 4: Choice("global", (0, 1))},
    **{5: Choice("pad mode", (1,)), 6: Choice("count of padding", (0, 1))},
    **{7: Choice("adaptive", (0, 1)), 8: CELLS, 18: CELLS},
}
DECONVOLUTION: dict[int, Rule] = {
    **{key: rule for key, rule in CONVOLUTION.items() if key not in ACTIVATION},
    **{18: Whole("pad of the output", 0, 127), 19: Whole("pad of the output", 0, 127)},
}
# Only types whose widths `quant.ncnn.plan` knows: a Flatten or Dropout behind a 16-bit layer leaves
# a width that is not planned, and the next layer misreads it.
RULES: Mapping[str, Mapping[int, Rule]] = {
    "Input": {},
    "Split": {},
    "Convolution": CONVOLUTION,
    "ConvolutionDepthWise": {**CONVOLUTION, 7: GROUPS},
    "InnerProduct": {0: OUTPUTS, 1: BIAS, 2: WEIGHTS, **ACTIVATION},
    "Pooling": POOLING,
    # Sum, difference, product, quotient, maximum, minimum, power of two blobs, or of a blob and a
    # number.
    "BinaryOp": {
        0: Choice("operation", (0, 1, 2, 3, 4, 5, 6)),
        1: Choice("with a number", (0, 1)),
        2: Real("number"),
    },
    "ReLU": {0: Real("slope", 0.0, 1.0)},
    "Clip": {0: Real("least value", required=True), 1: Real("greatest value", required=True)},
    "Sigmoid": {},
    "Swish": {},
    "HardSigmoid": {0: STEEPNESS, 1: OFFSET},
    "HardSwish": {0: STEEPNESS, 1: OFFSET},
    "GELU": {0: Choice("by tanh", (0,))},
    "Mish": {},
    "Softplus": {},
    "TanH": {},
    "ELU": {0: Real("factor", 0.0, 1e3)},
    "SELU": {0: Real("factor", 0.0, 1e3), 1: Real("scale", 0.0, 1e3)},
    "CELU": {0: Real("factor", 1e-3, 1e3)},
    "AbsVal": {},
    # The negative, the square root, the reciprocal.
    "UnaryOp": {0: Choice("operation", (1, 5, 15), required=True)},
    "LRN": {
        0: Choice("region", (0,)),
        1: Whole("channels of a sum", 1, CHANNELS, required=True),
        2: Real("alpha", 0.0, 1e6, required=True),
        3: Real("beta", 0.0, 1e3, required=True),
        4: Real("bias", 1e-6, 1e6, required=True),
    },
    "PReLU": {0: Whole("slopes", 1, CHANNELS, required=True)},
    # Mean, maximum or root of the sum of squares over the channels, of which one stays.
    "Reduction": {
        0: Choice("operation", (3, 4, 8), required=True),
        1: Choice("all axes", (0,)),
        3: Index("axis", 0, required=True),
        4: Choice("whether the axis stays", (1,), required=True),
        5: Choice("way of counting", (1,), required=True),
    },
    "PixelShuffle": {0: Whole("side of a square", 1, 64, required=True)},
    "Reorg": {0: Whole("side of a square", 1, 64, required=True)},
    "Padding": {
        **{key: replace(PAD, required=True) for key in (0, 1, 2, 3)},
        4: Choice("zeros, the outermost pixels, or mirrored ones", (0, 1, 2)),
    },
    "Concat": {0: Choice("axis", (0, 1, 2))},
    "Crop": {
        9: Index("start", CHANNELS, required=True),
        10: Index("end", CHANNELS, required=True),
        11: Index("axis", 2, required=True),
    },
    "ShuffleChannel": {0: Whole("groups", 2, CHANNELS, required=True)},
    "Reshape": {
        0: Whole("width", -1, SIDE, required=True),
        1: Whole("height", 1, SIDE),
        2: Whole("channels", 1, CHANNELS),
    },
    "Interp": {
        0: Choice("kind", (1, 2), required=True),
        **{1: FACTOR, 2: FACTOR, 3: RESIZED, 4: RESIZED},
        6: Choice("aligned corners", (0, 1)),
    },
    "Deconvolution": DECONVOLUTION,
    "DeconvolutionDepthWise": {**DECONVOLUTION, 7: GROUPS},
    "Scale": {0: Whole("channels", 1, CHANNELS, required=True), 1: BIAS},
    "Permute": {0: Choice("order", (1, 3, 4), required=True)},
    # Over the last axis alone, counted as ncnn now does.
    "Softmax": {
        0: Choice("axis", (2,), required=True),
        1: Choice("way of counting", (1,), required=True),
    },
    "LayerNorm": {
        0: Whole("channels", 1, CHANNELS, required=True),
        1: Real("epsilon", 0.0, 1.0, required=True),
        2: Choice("weights", (1,), required=True),
    },
    "GroupNorm": {
        0: Whole("groups", 1, CHANNELS, required=True),
        1: Whole("channels", 1, CHANNELS, required=True),
        2: Real("epsilon", 0.0, 1.0, required=True),
        3: Choice("weights", (1,), required=True),
    },
    "MatMul": {0: Choice("second turned", (0, 1))},
    "MemoryData": {
        0: Whole("width", 1, SIDE, required=True),
        1: Whole("height", 1, SIDE, required=True),
        2: Whole("channels", 1, CHANNELS, required=True),
    },
}


def check_params(layer: NcnnLayer) -> None:
    """Raise FormatError for a type or a parameter that is not supported, or is out of bounds."""
    rules = RULES.get(layer.type)
    if rules is None:
        raise FormatError(f"layer type {layer.type} is not supported")
    for key, value in layer.params.items():
        check_param(layer, rules, key, value)
    for key, rule in rules.items():
        if rule.required and key not in layer.params:
            raise FormatError(f"layer {layer.name}: parameter {key} ({rule.name}) is missing")
    if rules.get(LIMITS_KEY) == ACTIVATION[LIMITS_KEY]:
        check_activation(layer)


def check_param(layer: NcnnLayer, rules: Mapping[int, Rule], key: int, value: Value) -> None:
    """Raise FormatError unless the layer may have this parameter with this value."""
    if key not in rules and key in REFUSED:
        raise FormatError(REFUSED[key])
    if key not in rules:
        raise FormatError(f"layer {layer.name}: {layer.type} has no parameter {key} here")
    rule = rules[key]
    if not rule.accepts(value):
        raise FormatError(
            f"layer {layer.name}: parameter {key} ({rule.name}) is {value!s:.40}, not {rule}"
        )


def check_activation(layer: NcnnLayer) -> None:
    """Raise FormatError unless the activation has as many limits as it takes."""
    limits = layer.params.get(LIMITS_KEY, ())
    wanted = ACTIVATION_LIMITS[layer.integer(ACTIVATION_KEY)]
    if not isinstance(limits, tuple) or len(limits) != wanted:
        raise FormatError(f"layer {layer.name}: its activation takes {wanted} limits")
