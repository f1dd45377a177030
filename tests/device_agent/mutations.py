"""Ways to spoil a request. Each kind is a function of a source of chance and a sound request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """What a client sends: two files, and fields of JSON, which need not be what they should."""

    param: bytes
    weights: bytes
    ranges: Any
    shape: Any
    policies: Any

    @property
    def lines(self) -> list[str]:
        return self.param.decode().splitlines()

    def with_lines(self, lines: list[str]) -> Case:
        return replace(self, param="".join(f"{line}\n" for line in lines).encode())


Mutation = Callable[[Random, Case], Case]

TYPES = (
    *("Convolution", "ConvolutionDepthWise", "InnerProduct", "BinaryOp", "Pooling", "Split"),
    *("ReLU", "Clip", "Input", "Flatten", "Softmax", "Reshape", "Concat", "MemoryData", "Noop"),
    *("Crop", "ShuffleChannel", "Interp", "Deconvolution", "DeconvolutionDepthWise", "Scale"),
    *("PReLU", "GroupNorm", "PixelShuffle", "ELU", "TanH", "Mish", "Softplus"),
    *("SELU", "CELU", "AbsVal", "UnaryOp", "Reorg", "Padding", "LRN"),
    *("Sigmoid", "Swish", "HardSigmoid", "HardSwish"),
)
WHOLE = (0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 64, 127, 1000, 2**16, 2**31 - 1, 2**31, 2**63, 10**40)
FLOATS = ("0.5", "-1.0", "6.000000e+00", "1e38", "-3e38", "1e-45", "1e999", "nan", "inf", "-inf")
ODD_TEXTS = ("", "x", "1,2", "2,0.0,6.0", "0x10", "1_0", "\u0663", "=", "9" * 200)
EXTRAS = (
    *("31=7", "31=1", "8=2", "8=102", "7=2", "18=1.0", "19=1", "9=3", "9=6", "-23310=1,0.5"),
    *("-23310=2,6.0,0.0", "-23310=0", "4=-233", "15=3", "16=0", "2=2", "12=3", "13=2", "-1=0"),
    *("0=4", "1=1", "5=0", "11=5", "14=2", "-23300=2,1,2", "99=9", "-99999999=1,1"),
)
NAMES = ("in0", "out0", "b1", "a b", "", "n\u00e4me", "\x00", "x" * 199, "x" * 201, "../x", "%s%n")


def some_number(rng: Random, near: str) -> str:
    """Another number, often a neighbour of the one that was there."""
    kind = rng.randrange(5)
    if kind == 0 and near.lstrip("-").isdigit():
        return str(int(near) + rng.choice((-2, -1, 1, 2)))
    if kind == 1 and near.lstrip("-").isdigit():
        return str(int(near) * 2)
    if kind <= 3:
        return str(rng.choice((1, 1, 1, -1)) * rng.choice(WHOLE))
    return rng.choice(FLOATS + ODD_TEXTS)


def cut_param(rng: Random, case: Case) -> Case:
    return replace(case, param=case.param[: rng.randrange(len(case.param))])


def flip_param(rng: Random, case: Case) -> Case:
    data = bytearray(case.param)
    for _ in range(rng.choice((1, 1, 2, 5))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return replace(case, param=bytes(data))


def overwrite_param(rng: Random, case: Case) -> Case:
    start = rng.randrange(len(case.param))
    noise = rng.randbytes(rng.choice((1, 4, 30)))
    return replace(case, param=case.param[:start] + noise + case.param[start + len(noise) :])


def change_number(rng: Random, case: Case) -> Case:
    """One value of one parameter."""
    lines = case.lines
    places = [
        (i, j) for i, line in enumerate(lines) for j, word in enumerate(line.split()) if "=" in word
    ]
    row, column = rng.choice(places)
    words = lines[row].split()
    key, _, value = words[column].partition("=")
    words[column] = f"{key}={some_number(rng, value)}"
    lines[row] = " ".join(words)
    return case.with_lines(lines)


def change_key(rng: Random, case: Case) -> Case:
    lines = case.lines
    row = rng.choice([i for i, line in enumerate(lines) if "=" in line])
    words = lines[row].split()
    column = rng.choice([j for j, word in enumerate(words) if "=" in word])
    value = words[column].partition("=")[2]
    words[column] = f"{rng.choice((*range(-2, 20), 31, -23310, 10**9))}={value}"
    lines[row] = " ".join(words)
    return case.with_lines(lines)


def add_params(rng: Random, case: Case) -> Case:
    lines = case.lines
    row = rng.randrange(2, len(lines))
    lines[row] = " ".join([lines[row], *rng.sample(EXTRAS, rng.choice((1, 1, 2)))])
    return case.with_lines(lines)


def drop_param(rng: Random, case: Case) -> Case:
    lines = case.lines
    row = rng.choice([i for i, line in enumerate(lines) if "=" in line])
    words = lines[row].split()
    del words[rng.choice([j for j, word in enumerate(words) if "=" in word])]
    lines[row] = " ".join(words)
    return case.with_lines(lines)


def swap_lines(rng: Random, case: Case) -> Case:
    lines = case.lines
    one, other = rng.sample(range(len(lines)), 2)
    lines[one], lines[other] = lines[other], lines[one]
    return case.with_lines(lines)


def repeat_line(rng: Random, case: Case) -> Case:
    lines = case.lines
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return recounted(rng, case, lines)


def delete_line(rng: Random, case: Case) -> Case:
    lines = case.lines
    del lines[rng.randrange(len(lines))]
    return recounted(rng, case, lines)


def recounted(rng: Random, case: Case, lines: list[str]) -> Case:
    """With a header that goes with the lines, half of the times."""
    if rng.random() < 0.5:
        outputs = 0
        for line in lines[2:]:
            outputs += int(line.split()[3]) if len(line.split()) > 3 else 0
        lines[1:2] = [f"{max(0, len(lines) - 2)} {outputs}"]
    return case.with_lines(lines)


def change_header(rng: Random, case: Case) -> Case:
    lines = case.lines
    row = rng.randrange(2)
    words = lines[row].split()
    place = rng.randrange(len(words))
    words[place] = some_number(rng, words[place])
    lines[row] = " ".join(words)
    return case.with_lines(lines)


def change_ends(rng: Random, case: Case) -> Case:
    """The number of a layer's inputs or outputs."""
    lines = case.lines
    row = rng.randrange(2, len(lines))
    words = lines[row].split()
    place = rng.choice((2, 3))
    words[place] = some_number(rng, words[place])
    lines[row] = " ".join(words)
    return case.with_lines(lines)


def change_type(rng: Random, case: Case) -> Case:
    lines = case.lines
    row = rng.randrange(2, len(lines))
    _, rest = lines[row].split(maxsplit=1)
    lines[row] = f"{rng.choice(TYPES)} {rest}"
    return case.with_lines(lines)


def rename(rng: Random, case: Case) -> Case:
    """A layer or a blob, everywhere or in one place."""
    lines = case.lines
    row = rng.randrange(2, len(lines))
    words = [word for word in lines[row].split()[1:] if "=" not in word and not word.isdigit()]
    old, new = rng.choice(words), rng.choice((*NAMES, f"new{rng.randrange(5)}"))
    rows = range(2, len(lines)) if rng.random() < 0.7 else (row,)
    for i in rows:
        lines[i] = " ".join(new if word == old else word for word in lines[i].split())
    return case.with_lines(lines)


def rewire(rng: Random, case: Case) -> Case:
    """Let two layers read each other's inputs, or one read another blob."""
    lines = case.lines
    rows = rng.sample(range(3, len(lines)), 2)
    one, other = (lines[row].split() for row in rows)
    if rng.random() < 0.5:
        one[4], other[4] = other[4], one[4]
    else:
        one[4] = rng.choice([word for line in lines[2:] for word in line.split()[4:5]])
    for row, words in zip(rows, (one, other), strict=True):
        lines[row] = " ".join(words)
    return case.with_lines(lines)


def cut_bin(rng: Random, case: Case) -> Case:
    return replace(case, weights=case.weights[: rng.randrange(len(case.weights))])


def extend_bin(rng: Random, case: Case) -> Case:
    more = rng.randbytes(rng.choice((1, 4, 64)))
    place = rng.choice((0, len(case.weights), 4 * rng.randrange(len(case.weights) // 4)))
    return replace(case, weights=case.weights[:place] + more + case.weights[place:])


def flip_bin(rng: Random, case: Case) -> Case:
    data = bytearray(case.weights)
    for _ in range(rng.choice((1, 1, 8, 100))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return replace(case, weights=bytes(data))


def poison_bin(rng: Random, case: Case) -> Case:
    """Numbers that are none, or the largest and smallest ones."""
    values = np.frombuffer(case.weights, "<f4").copy()
    for _ in range(rng.choice((1, 3, 50))):
        poison = rng.choice((np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-42, 0.0))
        values[rng.randrange(1, len(values))] = poison
    return replace(case, weights=values.tobytes())


def retag_bin(rng: Random, case: Case) -> Case:
    """The tag of the first weights."""
    tag = rng.choice((1, 0x01306B47, 0x000D4B38, 0x0002C056, rng.getrandbits(32)))
    return replace(case, weights=tag.to_bytes(4, "little") + case.weights[4:])


def scale_bin(rng: Random, case: Case) -> Case:
    values = np.frombuffer(case.weights, "<f4").copy()
    values *= np.float32(10.0 ** rng.randint(-20, 6))
    return replace(case, weights=values.tobytes())


def change_shape(rng: Random, case: Case) -> Case:
    shape = list(case.shape)
    odd: tuple[Any, ...] = (
        0,
        -1,
        1,
        2,
        3,
        5,
        33,
        300,
        8192,
        8193,
        10**9,
        3.5,
        "3",
        None,
        True,
        [],
        1e400,
    )
    shape[rng.randrange(3)] = rng.choice(odd)
    if rng.random() < 0.1:
        shape = shape[: rng.randrange(3)] or shape * 2
    return replace(case, shape=shape)


def resize(rng: Random, case: Case) -> Case:
    """Another height and width, which many networks take."""
    return replace(case, shape=[case.shape[0], rng.randint(1, 40), rng.randint(1, 40)])


def change_range(rng: Random, case: Case) -> Case:
    odd: tuple[Any, ...] = (
        0,
        -1.0,
        1e-45,
        1e-31,
        1e31,
        1e300,
        float("nan"),
        float("inf"),
        10**400,
        "1",
        None,
        [],
    )
    names = (*case.ranges, "ghost", "sum", "x" * 1000, "\ud800", "")
    return replace(case, ranges={**case.ranges, rng.choice(names): rng.choice(odd)})


def stretch_range(rng: Random, case: Case) -> Case:
    """Thresholds that are possible, if far from good."""
    name = rng.choice(list(case.ranges))
    return replace(case, ranges={**case.ranges, name: 10.0 ** rng.uniform(-30, 30)})


def replace_ranges(rng: Random, case: Case) -> Case:
    return replace(case, ranges=rng.choice((None, [], "x", {}, {"": {}}, [1.0], 7)))


def change_policy(rng: Random, case: Case) -> Case:
    names = (*case.policies[0], "ghost", "sum", "x" * 1000, "\ud800", "")
    odd: tuple[Any, ...] = (
        0,
        1,
        4,
        7,
        -8,
        8.5,
        33,
        10**30,
        "8",
        None,
        True,
        float("nan"),
        [8],
        {"weight": 8},
    )
    changed = {**case.policies[0], rng.choice(names): rng.choice((*odd, 8, 16, 32))}
    return replace(case, policies=[changed, *case.policies[1:]])


def thin_policy(rng: Random, case: Case) -> Case:
    kept = {name: bits for name, bits in case.policies[0].items() if rng.random() < 0.6}
    return replace(case, policies=[kept])


def replace_policies(rng: Random, case: Case) -> Case:
    odd: tuple[Any, ...] = (None, [], {}, [None], [[]], "x", [8, 8], case.policies * 3, [{}] * 2)
    return replace(case, policies=rng.choice(odd))


def mix_policy(rng: Random, case: Case) -> Case:
    """Bits that are all possible."""
    mixed = [{name: rng.choice((8, 16, 32)) for name in case.policies[0]} for _ in range(4)]
    return replace(case, policies=mixed)


# How often each kind is tried on each network. Kinds whose results mostly pass the checks are
# tried less often, since each of these is measured.
MUTATIONS: Mapping[Mutation, int] = {
    **dict.fromkeys((cut_param, overwrite_param, cut_bin, extend_bin, retag_bin), 40),
    **dict.fromkeys((change_header, change_ends, change_type, rewire, swap_lines, add_params), 60),
    **dict.fromkeys((flip_param, change_key, repeat_line, delete_line, change_shape), 60),
    **{change_number: 160, drop_param: 30, change_range: 30, poison_bin: 30, rename: 30},
    **dict.fromkeys((change_policy, replace_ranges, replace_policies), 12),
    **dict.fromkeys((flip_bin, scale_bin, resize, stretch_range, mix_policy, thin_policy), 5),
}
