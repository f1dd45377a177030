from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.errors import FormatError
from quant.ncnn.build import dump, float_layers, mixed_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import (
    TAG_CODEBOOK,
    TAG_FP16,
    TAG_FP32,
    TAG_INT8,
    Codebook,
    Int8,
    NcnnLayer,
    Payload,
    Value,
    dump_bin,
    dump_line,
    dump_param,
    dump_payload,
    load_bin,
    pad4,
    parse_line,
    parse_number,
    parse_param,
)
from tests.quant.ncnn.small_network import RANGES, bits_of, residual_graph, with_weights

KINDS = ("Convolution", "ConvolutionDepthWise", "InnerProduct")
REQUANTIZING = bits_of(8, 8, 8, 16)


def printed(x: float) -> float:
    """What is left of a number in the text of a `.param`."""
    return float(f"{x:e}")


words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.:/]{0,11}", fullmatch=True)
blobs = st.lists(words, max_size=3).map(tuple)
numbers = st.integers(-(2**31), 2**31 - 1) | st.floats(-1e30, 1e30).map(printed)
values: st.SearchStrategy[Value] = numbers | st.lists(numbers, max_size=4).map(tuple)
lines = st.builds(
    NcnnLayer, words, words, blobs, blobs, st.dictionaries(st.integers(0, 40), values, max_size=5)
)
single = st.floats(-1e6, 1e6, width=32)
half = st.floats(-100, 100, width=16)


def floats(draw: st.DrawFn, count: int, of: st.SearchStrategy[float]) -> np.ndarray:
    return np.array(draw(st.lists(of, min_size=count, max_size=count)), np.float32)


@st.composite
def weighted(draw: st.DrawFn) -> NcnnLayer:
    """A weighted layer with a payload of any kind that goes with its parameters."""
    kind, rows, row = draw(st.sampled_from(KINDS)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    linear, has_bias = kind == "InnerProduct", draw(st.booleans())
    params: dict[int, Value] = {0: rows, (1 if linear else 5): int(has_bias)}
    params |= {2 if linear else 6: rows * row, 7: rows}
    bias = floats(draw, rows, single) if has_bias else None
    tag = draw(st.sampled_from((TAG_FP32, TAG_FP16, TAG_INT8, TAG_CODEBOOK)))
    if tag == TAG_CODEBOOK:
        indexes = draw(st.lists(st.integers(0, 255), min_size=rows * row, max_size=rows * row))
        table = np.linspace(-1, draw(single), 256, dtype=np.float32)
        codebook = Codebook(table, np.array(indexes, np.uint8))
        payload = Payload(None, bias, tag, codebook=codebook)
        return NcnnLayer(kind, "w", ("a",), ("b",), params, payload)
    if tag != TAG_INT8:
        weight = floats(draw, rows * row, single if tag == TAG_FP32 else half)
        return NcnnLayer(kind, "w", ("a",), ("b",), params, Payload(weight, bias, tag))
    integers = draw(st.lists(st.integers(-127, 127), min_size=rows * row, max_size=rows * row))
    output = draw(st.none() | single)
    int8 = Int8(np.array(integers, np.int8), floats(draw, rows, single), draw(single), output)
    params[8] = 2 if output is None else 102
    return NcnnLayer(kind, "w", ("a",), ("b",), params, Payload(None, bias, tag, int8))


def equal(one: Payload, other: Payload) -> bool:
    return dump_payload(one) == dump_payload(other) and one.tag == other.tag


def files() -> tuple[str, bytes]:
    """A network with int8, requantized int8 and fp16 weights."""
    layers = float_layers(with_weights(residual_graph(6)))
    return dump(mixed_layers(layers, REQUANTIZING, RANGES, Capabilities()))


@given(st.lists(lines, max_size=5))
def test_param_round_trip(layers: list[NcnnLayer]) -> None:
    assert parse_param(dump_param(layers)) == layers


@given(st.lists(weighted(), max_size=4))
def test_bin_round_trip(layers: list[NcnnLayer]) -> None:
    data = dump_bin(layers)
    loaded = load_bin([replace(layer, payload=None) for layer in layers], data)
    assert dump_bin(loaded) == data
    for layer, again in zip(layers, loaded, strict=True):
        assert layer.payload is not None and again.payload is not None
        assert equal(layer.payload, again.payload)


def test_network_round_trip() -> None:
    param, weights = files()
    layers = load_bin(parse_param(param), weights)
    assert dump(layers) == (param, weights)


def test_line_by_hand() -> None:
    layer = NcnnLayer("Convolution", "c", ("a",), ("b",), {9: 3, 0: 16, 10: (0.0, 6.0)})
    words = dump_line(layer).split()
    assert words == [
        *("Convolution", "c", "1", "1", "a", "b"),
        *("0=16", "9=3", "-23310=2,0.000000e+00,6.000000e+00"),
    ]


def test_header_counts_layers_and_blobs() -> None:
    layers = [NcnnLayer("Input", "i", (), ("a",)), NcnnLayer("Split", "s", ("a",), ("b", "c"))]
    assert dump_param(layers).splitlines()[:2] == ["7767517", "2 3"]


def test_int8_bytes_by_hand() -> None:
    int8 = Int8(np.array([1, -2, 3], np.int8), np.array([2.0], np.float32), 4.0, 5.0)
    data = dump_payload(Payload(None, np.array([6.0], np.float32), TAG_INT8, int8))
    assert data == struct.pack("<I3bx4f", 0x000D4B38, 1, -2, 3, 6.0, 2.0, 4.0, 5.0)


def test_fp16_bytes_by_hand() -> None:
    payload = Payload(np.array([1.0, 0.5, 2.0], np.float32), np.array([6.0], np.float32), TAG_FP16)
    assert dump_payload(payload) == struct.pack("<I3e2xf", 0x01306B47, 1.0, 0.5, 2.0, 6.0)


@pytest.mark.parametrize(("size", "padded"), [(0, 0), (1, 4), (3, 4), (4, 4), (5, 8)])
def test_padding_to_four_bytes(size: int, padded: int) -> None:
    data = b"x" * size
    assert pad4(data) == data + b"\0" * (padded - size)


@pytest.mark.parametrize(
    ("text", "expected"), [("3", 3), ("-3", -3), ("3.0", 3.0), ("1e3", 1000.0), ("-1.5e-2", -0.015)]
)
def test_numbers_are_integers_unless_written_as_floats(text: str, expected: int | float) -> None:
    found = parse_number(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Convolution",
        "Convolution c 1 1 a",
        "Convolution c -1 2 a b",
        "Convolution c one 1 a b",
        "Convolution c 1 1 a b 0",
        "Convolution c 1 1 a b 0=",
        "Convolution c 1 1 a b x=1",
        "Convolution c 1 1 a b 0=x",
        "Convolution c 1 1 a b -23310=2,1.0",
        "Convolution c 1 1 a b -23310=",
        "Convolution c 1 1 a b 0=1 0=1",
        "Convolution c 1 1 a b -23310=1,1.0 10=1.0",
        "Convolution c 1 1 a b 0=nan",
        "Convolution c 1 1 a b 0=inf",
        "Convolution c 1 1 a b 0=-infinity",
        "Convolution c 1 1 a b 0=1e999",
        "Convolution c 1 1 a b 0=1_0",
        "Convolution c 1 1 a b 0=0x10",
        "Convolution c 1 1 a b 0=\u0663",
        "Convolution c 1 1 a b \u0660=3",
        "Convolution c \u0661 1 a b 0=3",
        f"Convolution c 1 1 a b 0={'9' * 5000}",
        f"Convolution c 1 1 a b 0={'9' * 33}",
    ],
)
def test_unreadable_lines(line: str) -> None:
    with pytest.raises(FormatError):
        parse_line(line)


@pytest.mark.parametrize(
    "text",
    ["", "7767517", "7767518\n0 0\n", "7767517\n1 1\n", "7767517\n1 2\nInput i 0 1 a\n"],
)
def test_unreadable_param(text: str) -> None:
    with pytest.raises(FormatError):
        parse_param(text)


@given(st.data())
def test_truncated_bin(data: st.DataObject) -> None:
    param, weights = files()
    kept = data.draw(st.integers(0, len(weights) - 1))
    with pytest.raises(FormatError):
        load_bin(parse_param(param), weights[:kept])


@given(st.binary(min_size=1, max_size=9))
def test_bin_with_more_than_is_needed(more: bytes) -> None:
    param, weights = files()
    with pytest.raises(FormatError, match=r"its \.param needs"):
        load_bin(parse_param(param), weights + more)


@given(st.sampled_from([TAG_FP32, TAG_FP16, 1, 0x0002C056, 0xFFFFFFFF]))
def test_tags_must_go_with_the_scale_term(tag: int) -> None:
    param, weights = files()
    with pytest.raises(FormatError, match="first"):
        load_bin(parse_param(param), struct.pack("<I", tag) + weights[4:])


@pytest.mark.parametrize(
    ("name", "term"), [("first", 0), ("first", 102), ("depthwise", 1), ("last", 2), ("last", 102)]
)
def test_scale_terms_must_go_with_the_bytes(name: str, term: int) -> None:
    """In the file `first` is int8, `depthwise` requantized int8 and `last` fp16."""
    param, weights = files()
    layers = [
        layer.with_params(p8=term) if layer.name == name else layer for layer in parse_param(param)
    ]
    with pytest.raises(FormatError):
        load_bin(layers, weights)


@given(st.data())
def test_mutated_bin_is_read_or_is_a_format_error(data: st.DataObject) -> None:
    param, weights = files()
    changed = bytearray(weights)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(weights) - 1))] = data.draw(st.integers(0, 255))
    layers = parse_param(param)
    try:
        loaded = load_bin(layers, bytes(changed))
    except FormatError:
        return
    assert len(dump_bin(loaded)) == len(weights)


@given(st.data())
def test_mutated_param_is_read_or_is_a_format_error(data: st.DataObject) -> None:
    param, weights = files()
    characters = st.sampled_from("0123456789-=,.en \n_x\x00é٣") | st.characters()
    start = data.draw(st.integers(0, len(param)))
    stop = data.draw(st.integers(start, min(start + 6, len(param))))
    text = param[:start] + data.draw(st.text(characters, max_size=4)) + param[stop:]
    try:
        layers = load_bin(parse_param(text), weights)
    except FormatError:
        return
    assert dump_bin(layers) == weights


@given(st.text(max_size=60))
def test_any_text_is_read_or_is_a_format_error(text: str) -> None:
    try:
        parse_param(f"7767517\n1 1\n{text}")
    except FormatError:
        return
    assert len(text.split()) >= 4


def test_integer_parameters() -> None:
    layer = NcnnLayer("Convolution", "c", (), (), {0: 4, 1: 2.5})
    assert layer.integer(0) == 4
    assert layer.integer(9, 7) == 7
    with pytest.raises(FormatError, match="layer c: parameter 1 must be an integer"):
        layer.integer(1)


def test_with_params_leaves_the_original() -> None:
    layer = NcnnLayer("Convolution", "c", (), (), {0: 4})
    assert layer.with_params(p31=7).params == {0: 4, 31: 7}
    assert layer.params == {0: 4}


def test_weights_that_stay_float_round_trip() -> None:
    pytest.importorskip("torch")
    from tests.quant.blocks import block

    layers = [layer for layer in float_layers(block("decoder").network) if layer.has_weights]
    assert {"Scale", "Deconvolution", "DeconvolutionDepthWise"} < {layer.type for layer in layers}
    bare = [replace(layer, payload=None) for layer in layers]
    for before, after in zip(layers, load_bin(bare, dump_bin(layers)), strict=True):
        assert before.payload is not None and after.payload is not None
        assert equal(before.payload, after.payload)
    with pytest.raises(FormatError, match="too short"):
        load_bin(bare, dump_bin(layers)[:-4])
