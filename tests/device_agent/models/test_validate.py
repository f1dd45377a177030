from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from device_agent.models.validate import MAX_PARAM_BYTES, read_network
from device_agent.models.wiring import numbered
from haq.names import Padding
from haq.zoo import NetConfig, build
from quant.errors import FormatError, InputError
from quant.graph import Network
from quant.kmeans import KMeansQuantizer
from quant.ncnn.build import dump, float_layers, mixed_layers, shared_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer, Payload
from quant.policy import uniform
from quant.trace import trace
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, everywhere, small_layers
from tests.quant.networks import KINDS, case

PARAM, WEIGHTS = dump(small_layers())


def read(
    param: str | bytes = PARAM,
    weights: bytes = WEIGHTS,
    ranges: Mapping[str, float] = RANGES,
    shape: tuple[int, int, int] = SHAPE,
) -> list[NcnnLayer]:
    data = param if isinstance(param, bytes) else param.encode()
    return read_network(data, weights, ranges, shape)


def payload_of_stem(weight: float, bias: float) -> bytes:
    stem = small_layers()[1]
    assert stem.payload is not None and stem.payload.weight is not None
    weights, biases = stem.payload.weight.copy(), np.zeros(16, np.float32)
    weights[7], biases[7] = weight, bias
    changed = replace(stem, payload=Payload(weights, biases))
    return dump([changed, *small_layers()[2:]])[1]


def accept(network: Network) -> None:
    shape = network.graph.input_shape
    layers = float_layers(network)
    read_layers = read(*dump(layers), {}, (shape[0], shape[1], shape[2]))
    assert dump(read_layers) == dump(numbered(layers))


@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_every_kind_of_layer_pass(kind: str) -> None:
    accept(case(kind).network)


@pytest.mark.parametrize("padding", ["torch", "same"])
@pytest.mark.parametrize(
    ("width", "size", "channels", "classes"),
    [(0.25, 32, 1, 10), (0.35, 33, 3, 7), (0.5, 96, 3, 10), (1.0, 32, 1, 10), (1.0, 224, 3, 1000)],
)
def test_mobilenets_of_any_size_pass(
    width: float, size: int, channels: int, classes: int, padding: Padding
) -> None:
    with torch.random.fork_rng():
        net = build(NetConfig("mbv2", size, channels, classes, width, padding))
    accept(trace(net.eval(), (channels, size, size)))


def test_weights_in_half_precision_pass() -> None:
    layers = mixed_layers(small_layers(), everywhere(16), RANGES, Capabilities())
    assert dump(read(*dump(layers))) == dump(numbered(layers))


def test_what_is_handed_on_is_written_anew() -> None:
    """Spaces, signs and ends of lines are not those of the upload."""
    odd = PARAM.replace(" 0=16 ", "    0=+016 ").replace("6.000000e+00", "6.").replace("\n", "\r\n")
    assert dump(read(odd)) == dump(numbered(small_layers()))


@pytest.mark.parametrize(
    ("param", "cause"),
    [
        (b"\xff\xfe" + PARAM.encode(), "not text"),
        (PARAM.encode("utf-16"), "not text"),
        (PARAM.replace("stem", "st\0em"), "zero bytes"),
        (PARAM + " " * MAX_PARAM_BYTES, "are the limit"),
        ("", "7767517"),
        (PARAM.replace("0=16", "0=0"), "outputs"),
        (PARAM.replace(" 6=432", " 6=144"), "stem has 144 weights"),
        (PARAM.replace("2=160", "2=320"), "head has 320 weights"),
    ],
)
def test_params_that_do_not_fit_are_refused(param: str | bytes, cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        read(param)


@pytest.mark.parametrize(
    ("weights", "cause"),
    [
        (WEIGHTS[:-4], "too short"),
        (WEIGHTS[:-1], "too short"),
        (WEIGHTS + b"\0", "needs"),
        (b"", "too short"),
        (b"\x38\x4b\x0d\x00" + WEIGHTS[4:], "does not go with scale term 0"),
        (b"\x01\x00\x00\x00" + WEIGHTS[4:], "unknown weight tag 0x1"),
        (payload_of_stem(np.nan, 0), "stem has weights that are not finite"),
        (payload_of_stem(-np.inf, 0), "stem has weights that are not finite"),
        (payload_of_stem(0, np.inf), "stem has weights that are not finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: bytes, cause: str) -> None:
    with pytest.raises(FormatError, match=cause):
        read(weights=weights)


def test_a_stem_for_three_channels_needs_three_channels() -> None:
    cause = "stem has 432 weights, but 16 outputs from 1 input channels, 1 groups and a 3x3 kernel"
    with pytest.raises(FormatError, match=f"{cause} take 144"):
        read(shape=(1, 16, 16))


def test_int8_networks_are_refused() -> None:
    layers = mixed_layers(small_layers(), everywhere(8), RANGES, Capabilities())
    with pytest.raises(FormatError, match="already int8"):
        read(*dump(layers))


@pytest.mark.parametrize(
    ("ranges", "cause"),
    [
        ({"ghost": 1.0}, "range for ghost"),
        ({"sum": 1.0}, "range for sum"),
        *(({"stem": value}, "range of stem") for value in (0.0, -1.0, 1e-40, 1e31, np.nan, np.inf)),
    ],
)
def test_ranges_that_no_scale_can_have_are_refused(ranges: dict[str, float], cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        read(ranges=ranges)


def test_any_range_between_passes() -> None:
    read(ranges=dict(zip(NAMES, (1e-30, 1e-3, 1.0, 1e30), strict=True)))


def test_codebooks_are_refused() -> None:
    network = case("mobile").network
    names = network.graph.layer_names
    shared = KMeansQuantizer(network).shared(uniform(names, 4, 32))
    channels, height, width = network.graph.input_shape
    with pytest.raises(FormatError, match="has a codebook of weights: register the network with"):
        read(*dump(shared_layers(network.graph, shared)), {}, (channels, height, width))
