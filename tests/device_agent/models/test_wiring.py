from __future__ import annotations

from dataclasses import replace

import pytest

from device_agent.models.wiring import MAX_LAYERS, MAX_NAME, check_wiring, numbered
from quant.errors import FormatError
from quant.ncnn.format import NcnnLayer, dump_param
from quant.ncnn.plan import readers
from tests.device_agent.small_network import small_layers

IN = NcnnLayer("Input", "input", (), ("in0",))


def chain(*layers: NcnnLayer) -> list[NcnnLayer]:
    return [IN, *layers]


def conv(name: str, source: str, target: str) -> NcnnLayer:
    return NcnnLayer("Convolution", name, (source,), (target,))


def renamed(old: str, new: str) -> list[NcnnLayer]:
    return [
        replace(
            layer,
            inputs=tuple(new if blob == old else blob for blob in layer.inputs),
            outputs=tuple(new if blob == old else blob for blob in layer.outputs),
        )
        for layer in small_layers()
    ]


def test_a_network_of_the_writer_passes() -> None:
    check_wiring(small_layers())


def test_any_plain_name_of_bounded_length_passes() -> None:
    check_wiring(renamed("stem", "x" * MAX_NAME))
    check_wiring(renamed("stem", "features.0/conv:1[%=]"))


@pytest.mark.parametrize(
    ("layers", "cause"),
    [
        ([], "exactly one Input"),
        (small_layers()[1:], "exactly one Input"),
        ([IN, replace(IN, name="again"), *small_layers()[1:]], "exactly one Input"),
        (renamed("in0", "data"), "exactly one Input"),
        (small_layers()[:-1], "must end in blob out0 alone, but nobody reads pool"),
        ([*small_layers(), conv("more", "out0", "x")], "nobody reads x"),
        (renamed("out0", "out1"), "nobody reads out1"),
        ([small_layers()[0], *small_layers()[2:]], "blob stem, which no layer before it gives"),
        (small_layers()[::-1], "no layer before it gives"),
        (chain(conv("a", "a", "a")), "a reads blob a, which no layer before"),
        (chain(conv("a", "in0", "x"), conv("b", "in0", "out0")), "read before: put a Split"),
        (chain(conv("a", "in0", "x"), conv("b", "x", "x")), "blob x is given twice"),
        (chain(conv("a", "in0", "in0")), "blob in0 is given twice"),
        (chain(NcnnLayer("Split", "s", ("in0",), ("a", "a"))), "no layer with weights"),
        (chain(conv("a", "in0", "x"), conv("a", "x", "out0")), "same name"),
        (renamed("stem", "x" * (MAX_NAME + 1)), "over 200 characters"),
        (renamed("stem", "st\u00e9m"), "not plain ASCII"),
        (renamed("stem", "st\x1bem"), "not plain ASCII"),
        (renamed("stem", "st em"), "not plain ASCII"),
        (chain(conv("a", "in0", "x"), NcnnLayer("Split", "s", ("x",), ("out0",))), "2 outputs or"),
        (chain(replace(conv("a", "in0", "out0"), outputs=("out0", "y"))), "gives 1 outputs"),
        (chain(replace(conv("a", "in0", "out0"), inputs=("in0", "y"))), "takes 1 inputs"),
        (
            chain(conv("a", "in0", "x"), NcnnLayer("BinaryOp", "b", ("x",), ("out0",))),
            "BinaryOp takes 2 inputs",
        ),
        (chain(NcnnLayer("ReLU", "r", ("in0",), ("x",)), conv("a", "x", "out0")), "image itself"),
        (
            chain(
                NcnnLayer("Split", "s", ("in0",), ("x", "y")),
                NcnnLayer("Clip", "c", ("x",), ("z",)),
                NcnnLayer("BinaryOp", "b", ("y", "z"), ("w",)),
                conv("a", "w", "out0"),
            ),
            "c: Clip cannot read the image itself",
        ),
        *(
            (
                chain(NcnnLayer(type_, "r", ("in0",), ("x",)), conv("a", "x", "out0")),
                f"r: {type_} cannot read the image itself: put a Pooling of one pixel between",
            )
            for type_ in ("Scale", "Reshape", "Crop", "Deconvolution", "ConvolutionDepthWise")
        ),
        (
            chain(
                NcnnLayer("Split", "s", ("in0",), ("x", "y")),
                NcnnLayer("Concat", "j", ("x", "y"), ("z",)),
                conv("a", "z", "out0"),
            ),
            "j: Concat cannot read the image itself",
        ),
        (
            chain(conv("a", "in0", "x"), NcnnLayer("Concat", "j", ("x",), ("out0",))),
            "Concat takes 2 inputs or more",
        ),
        ([IN] * (MAX_LAYERS + 1), "4096 are the limit"),
    ],
)
def test_all_else_is_refused(layers: list[NcnnLayer], cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        check_wiring(layers)


def test_numbered_blobs_hang_together_as_before() -> None:
    layers = small_layers()
    found = numbered(layers)
    check_wiring(found)
    assert found[0].outputs == ("in0",)
    assert found[-1].outputs == ("out0",)
    before, after = readers(layers), readers(found)
    names = {
        old: new
        for one, other in zip(layers, found, strict=True)
        for old, new in zip(one.outputs, other.outputs, strict=True)
    }
    for old, ends in before.items():
        assert [end.name for end in after[names[old]]] == [end.name for end in ends]


def test_numbered_blobs_meet_no_name_of_the_planner() -> None:
    layers = numbered(renamed("depthwise", "pointwise_in0_f32"))
    assert "_f32" not in dump_param(layers)
