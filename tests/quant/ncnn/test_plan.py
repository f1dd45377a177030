from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.random import default_rng

from quant.ncnn.build import dump, input_scales, plan_policy, structure
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import MASK_KEY, NcnnLayer, Payload, Value
from quant.ncnn.plan import MASK_32, MASK_NO_WINOGRAD, Plan, plan_precision, requantized
from quant.ncnn.runtime import Engine, capabilities
from tests.quant.ncnn.small_network import RANGES, bits_of, classifier_graph, residual_graph

ROOT = Path(__file__).parents[3]
COMMON = frozenset({"Convolution", "InnerProduct", "BinaryOp", "Pooling", "ReLU", "Clip"})
X86 = Capabilities("x86", "bf16", COMMON)
ARM_FP16 = Capabilities("arm", "fp16", COMMON | {"ConvolutionDepthWise"})
ARM_BF16 = Capabilities("arm", "bf16", COMMON | {"ConvolutionDepthWise"})
BOARDS = {"x86 bf16": X86, "arm fp16": ARM_FP16, "arm bf16": ARM_BF16}
SAME = {**RANGES, "last": RANGES["depthwise"]}


def plan(bits: dict[str, int], board: Capabilities) -> Plan:
    return plan_policy(structure(residual_graph()), bits, RANGES, board)


def masked(layer: NcnnLayer) -> bool:
    """Whether a layer is kept at float32 by its mask."""
    return layer.integer(MASK_KEY) & MASK_32 == MASK_32


def named(found: Plan, name: str) -> NcnnLayer:
    return next(layer for layer in found.layers if layer.name == name)


def casts(found: Plan) -> list[NcnnLayer]:
    return [layer for layer in found.layers if layer.type == "Cast"]


def fused(layers: list[NcnnLayer], bits: dict[str, int], ranges: dict[str, float]) -> set[str]:
    return set(requantized(layers, bits, input_scales(layers, bits, ranges)))


def chain(*types: str) -> list[NcnnLayer]:
    """Layers 0, 1, ... that read one another in turn."""
    return [
        NcnnLayer(kind, str(i), (f"b{i}",), (f"b{i + 1}",), {0: 8, 7: 8})
        for i, kind in enumerate(types)
    ]


def run_widths(*words: str) -> list[str]:
    """Lines of a program that runs policies, in a process of its own: a wrong plan crashes ncnn.

    Every blob of the built networks can be extracted, so none is left out.
    """
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"died at {lines[-1:]}: {done.stderr[-500:]}"
    assert [line for line in lines if line.startswith("wrong")] == []
    return lines


def test_every_choice_of_widths_runs_as_planned() -> None:
    """All of {8, 16, 32}^4 and of {8, 16, 32}^2 with a linear layer."""
    lines = run_widths("tests.quant.ncnn.all_widths")
    assert len({line for line in lines if line.startswith("policy")}) == 2 * (3**4 + 3**2)


def test_blocks_of_published_networks_run_as_planned() -> None:
    pytest.importorskip("torch")
    from tests.quant.blocks import BLOCKS

    lines = run_widths("tests.quant.ncnn.block_widths", "20")
    assert len([line for line in lines if line.startswith("policy")]) == 23 * len(BLOCKS)


def test_weights_that_stay_float_are_masked_whatever_they_read() -> None:
    """A transposed convolution and a scale between layers of 16 bits, which it would follow."""
    layers = chain("Convolution", "Deconvolution", "Scale", "HardSwish", "Convolution")
    board = Capabilities("x86", "bf16", COMMON | {"Deconvolution", "Scale", "HardSwish"})
    found = plan_precision(layers, {"0": 16, "4": 16}, board, {})
    assert [layer.name for layer in found.layers if masked(layer)] == ["1", "2", "3"]
    assert [layer.type for layer in casts(found)] == ["Cast"]
    assert found.blob_bits == {"b1": 16, "1_in0_f32": 32, "b2": 32, "b3": 32, "b4": 32, "b5": 16}


def test_what_needs_the_range_of_float32_has_it() -> None:
    """A root and a quotient between layers of 16 bits, which they would follow; a sum does."""
    layers = chain("Convolution", "UnaryOp", "BinaryOp", "Convolution", "BinaryOp", "Clip")
    layers[1] = layers[1].with_params(p0=5)
    layers[2] = layers[2].with_params(p0=3)
    layers[4] = layers[4].with_params(p0=0)
    layers[5] = layers[5].with_params(p0=1e-6)
    board = Capabilities("x86", "bf16", COMMON | {"UnaryOp"})
    found = plan_precision(layers, {"0": 16, "3": 16}, board, {})
    assert [layer.name for layer in found.layers if masked(layer)] == ["1", "2", "5"]
    assert [layer.type for layer in casts(found)] == ["Cast", "Cast"]


@pytest.mark.parametrize("reader", ["Convolution", "ConvolutionDepthWise"])
@pytest.mark.parametrize("writer", ["Convolution", "ConvolutionDepthWise"])
def test_a_blob_with_one_int8_convolution_behind_it_stays_int8(writer: str, reader: str) -> None:
    layers = chain(writer, reader)
    scales = {"0": 2.0, "1": 5.0}
    assert requantized(layers, {"0": 8, "1": 8}, scales) == {"0": 5.0}


@pytest.mark.parametrize(
    ("types", "bits"),
    [
        (("Convolution", "Convolution"), (8, 32)),
        (("Convolution", "Convolution"), (8, 16)),
        (("Convolution", "Convolution"), (32, 8)),
        (("Convolution", "InnerProduct"), (8, 8)),
        (("InnerProduct", "Convolution"), (8, 8)),
        (("Convolution", "Pooling", "Convolution"), (8, 8, 8)),
        (("Convolution", "ReLU", "Convolution"), (8, 8, 8)),
        (("Convolution",), (8,)),
    ],
)
def test_other_blobs_are_not_requantized(types: tuple[str, ...], bits: tuple[int, ...]) -> None:
    layers = chain(*types)
    names = [layer.name for layer in layers]
    chosen = dict(zip(names, bits, strict=True))
    assert requantized(layers, chosen, dict.fromkeys(names, 1.0)) == {}


def split(second: str) -> list[NcnnLayer]:
    """A convolution whose output is read by a convolution and by a layer of another kind."""
    return [
        NcnnLayer("Convolution", "writer", ("in",), ("x",), {0: 8}),
        NcnnLayer("Split", "split", ("x",), ("x0", "x1")),
        NcnnLayer("Convolution", "one", ("x0",), ("y0",), {0: 8}),
        NcnnLayer(second, "two", ("x1",), ("y1",), {0: 8}),
    ]


@pytest.mark.parametrize(
    ("second", "bits", "scale", "expected"),
    [
        ("Convolution", 8, 3.0, {"writer": 3.0}),
        ("ConvolutionDepthWise", 8, 3.0, {"writer": 3.0}),
        ("Convolution", 8, 4.0, {}),
        ("Convolution", 32, 3.0, {}),
        ("InnerProduct", 8, 3.0, {}),
        ("BinaryOp", 8, 3.0, {}),
    ],
)
def test_behind_a_split_all_readers_must_agree(
    second: str, bits: int, scale: float, expected: dict[str, float]
) -> None:
    chosen = {"writer": 8, "one": 8, "two": bits}
    scales = {"writer": 1.0, "one": 3.0, "two": scale}
    assert requantized(split(second), chosen, scales) == expected


def test_a_residual_add_forbids_requantization() -> None:
    """`first` is read by the add as well, `second` by nothing else."""
    layers = structure(residual_graph())
    assert fused(layers, bits_of(8, 8, 8, 8), SAME) == {"depthwise"}


def test_a_linear_layer_forbids_requantization() -> None:
    layers = structure(classifier_graph())
    assert fused(layers, {"first": 8, "last": 8}, {"first": 1.0, "last": 1.0}) == set()


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_without_16_bit_layers_there_is_nothing_to_mask(board: Capabilities) -> None:
    for bits in (bits_of(8, 8, 8, 8), bits_of(32, 8, 32, 8), bits_of(32, 32, 32, 32)):
        found = plan(bits, board)
        assert found.layers == tuple(structure(residual_graph()))
        assert 16 not in found.blob_bits.values()


def test_a_board_without_16_bit_types_masks_nothing() -> None:
    found = plan(bits_of(16, 8, 16, 32), Capabilities())
    assert found.layers == tuple(structure(residual_graph()))
    assert set(found.blob_bits.values()) == {32}


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_casts_stand_before_masked_readers_of_16_bit_blobs(board: Capabilities) -> None:
    """The depthwise layer and the add read `first`, of 16 bits, at 32."""
    found = plan(bits_of(16, 32, 32, 32), board)
    assert [layer.name for layer in found.layers] == [
        "image",
        "first",
        "first_split",
        "depthwise_in0_f32",
        "depthwise",
        "second",
        "sum_in0_f32",
        "sum",
        "last",
    ]
    assert [layer.params for layer in casts(found)] == [
        dict(enumerate(board.cast_params)),
        dict(enumerate(board.cast_params)),
    ]
    assert casts(found)[0].inputs == ("first_copy0",)
    assert named(found, "depthwise").inputs == ("depthwise_in0_f32",)
    assert named(found, "sum").inputs == ("sum_in0_f32", "second")
    assert found.blob_bits["first"] == found.blob_bits["first_copy1"] == 16
    assert found.blob_bits["sum_in0_f32"] == found.blob_bits["sum"] == 32


@pytest.mark.parametrize(
    ("board", "params"), [(X86, {0: 1, 1: 1}), (ARM_FP16, {0: 2, 1: 1}), (ARM_BF16, {0: 4, 1: 1})]
)
def test_parameters_of_the_casts(board: Capabilities, params: dict[int, int]) -> None:
    found = casts(plan(bits_of(16, 32, 32, 32), board))
    assert found and all(layer.params == params for layer in found)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_layers_of_32_bits_are_masked_in_a_16_bit_network(board: Capabilities) -> None:
    found = plan(bits_of(16, 32, 16, 32), board)
    assert {n: masked(named(found, n)) for n in RANGES} == {
        "first": False,
        "depthwise": True,
        "second": False,
        "last": True,
    }
    assert masked(named(found, "first_split"))


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_no_masked_layer_reads_a_16_bit_blob(board: Capabilities) -> None:
    """For all 81 policies: this is what makes ncnn crash."""
    widths = (8, 16, 32)
    for bits in (
        bits_of(a, b, c, d) for a in widths for b in widths for c in widths for d in widths
    ):
        found = plan(bits, board)
        for layer in found.layers:
            if masked(layer) and layer.type != "Split":
                assert all(found.blob_bits[blob] != 16 for blob in layer.inputs), (bits, layer)
        written = {blob for layer in found.layers for blob in layer.outputs}
        assert written == set(found.blob_bits)
        assert {blob for layer in found.layers for blob in layer.inputs} <= written


def test_a_depthwise_layer_leaves_16_bits_only_where_the_board_has_them() -> None:
    bits = bits_of(16, 16, 16, 16)
    widths = {n: plan(bits, board).blob_bits["depthwise"] for n, board in BOARDS.items()}
    assert widths == {"x86 bf16": 32, "arm fp16": 16, "arm bf16": 16}


def test_an_add_is_16_bits_only_where_both_inputs_are() -> None:
    assert plan(bits_of(16, 16, 16, 16), X86).blob_bits["sum"] == 16
    assert plan(bits_of(16, 16, 32, 16), X86).blob_bits["sum"] == 32
    assert plan(bits_of(32, 16, 16, 16), X86).blob_bits["sum"] == 32


def test_int8_layers_follow_their_input() -> None:
    """Behind 16 bits an int8 layer is not masked and leaves 16 bits if its kind can."""
    found = plan(bits_of(16, 8, 32, 8), ARM_FP16)
    assert not masked(named(found, "depthwise"))
    assert found.blob_bits["depthwise"] == 16
    assert masked(named(found, "last"))


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_kind_without_16_bits_is_masked_whatever_its_bits(bits: int) -> None:
    """Unmasked, ncnn reads a grouped convolution's float32 input as 16 bits, past its end."""
    found = plan(bits_of(16, bits, 32, 8), X86)
    assert masked(named(found, "depthwise"))
    assert found.blob_bits["depthwise"] == 32
    assert found.blob_bits[named(found, "depthwise").inputs[0]] == 32


def test_fp16_convolutions_3x3_run_without_winograd() -> None:
    found = plan(bits_of(16, 16, 16, 16), ARM_FP16)
    masks = {name: named(found, name).integer(31) for name in RANGES}
    assert masks == {"first": 64, "depthwise": 0, "second": 0, "last": 64}
    assert MASK_NO_WINOGRAD & MASK_32 == 0
    assert {named(plan(bits_of(16, 16, 16, 16), ARM_BF16), n).integer(31) for n in RANGES} == {0}
    found = plan(bits_of(16, 16, 16, 16), X86)
    masks = {name: named(found, name).integer(31) for name in RANGES}
    assert masks == {"first": 0, "depthwise": MASK_32, "second": 0, "last": 0}


def test_fp16_depthwise_layers_of_stride_2_store_16_bits_and_compute_in_float32() -> None:
    """ncnn's fp16 arithmetic is wrong there; `tests/arm` shows it on a processor that has it."""
    layers = [NcnnLayer("Input", "image", (), ("b0",)), *chain("ConvolutionDepthWise")]
    masks = {}
    for stride in (1, 2):
        strided = [*layers[:1], layers[1].with_params(p1=3, p3=stride)]
        for name, board in BOARDS.items():
            found = plan_precision(strided, {"0": 16}, board, {})
            masks[name, stride] = found.layers[-1].integer(MASK_KEY)
    on_arm = {key: mask for key, mask in masks.items() if mask and key[0] != "x86 bf16"}
    assert on_arm == {("arm fp16", 2): 1}
    assert plan_precision(strided, {"0": 16}, ARM_FP16, {}).blob_bits["b1"] == 16


def test_int8_layers_behind_fp16_ones_may_use_any_kernel() -> None:
    layers = [NcnnLayer("Input", "image", (), ("b0",)), *chain("Convolution", "Convolution")]
    layers[1:] = [layer.with_params(p1=3) for layer in layers[1:]]
    found = plan_precision(layers, {"0": 16, "1": 8}, ARM_FP16, {})
    assert [layer.integer(MASK_KEY) for layer in found.layers[1:]] == [MASK_NO_WINOGRAD, 0]


def test_the_structure_is_left_alone() -> None:
    layers = structure(residual_graph())
    plan_policy(layers, bits_of(16, 32, 8, 16), RANGES, X86)
    assert layers == structure(residual_graph())


@pytest.mark.skipif(capabilities().bits16 != "bf16", reason="ncnn has another 16-bit type here")
@pytest.mark.parametrize(
    ("params", "width"), [({0: 1, 1: 3, 2: 2, 5: 1}, 16), ({0: 1, 7: 1, 8: 3, 18: 4}, 32)]
)
def test_adaptive_pools_leave_float32_in_the_engine_and_in_the_plan(
    params: dict[int, Value], width: int
) -> None:
    rng = default_rng(0)
    weights = Payload(rng.normal(size=8 * 27).astype(np.float32), np.zeros(8, np.float32))
    conv: dict[int, Value] = {0: 8, 1: 3, 11: 3, 5: 1, 6: 8 * 27}
    layers = [
        NcnnLayer("Input", "in0", (), ("in0",), {}),
        NcnnLayer("Convolution", "conv", ("in0",), ("conv",), conv, weights),
        NcnnLayer("Pooling", "pool", ("conv",), ("out0",), params),
    ]
    assert plan_policy(layers, {"conv": 16}, {}, capabilities()).blob_bits["out0"] == width
    image = rng.normal(size=(3, 11, 10)).astype(np.float32)
    found = Engine.from_memory(*dump(layers), "bf16").run(image)
    is_bfloat16 = not (np.ascontiguousarray(found).view(np.uint32) & 0xFFFF).any()
    assert is_bfloat16 == (width == 16)
