from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from quant.errors import FormatError
from quant.ncnn.build import dump, float_layers, mixed_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import PROBED, Engine, capabilities, supports
from tests.quant.ncnn.small_network import (
    RANGES,
    SIDE,
    bits_of,
    classifier_graph,
    random_image,
    residual_graph,
    with_weights,
)

LAYERS = float_layers(with_weights(residual_graph()))
FILES = dump(LAYERS)


def mixed(*bits: int) -> Engine:
    board = capabilities()
    param, weights = dump(mixed_layers(LAYERS, bits_of(*bits), RANGES, board))
    return Engine.from_memory(param, weights, board.bits16 if 16 in bits else "none")


def test_logits_have_one_axis() -> None:
    engine = Engine.from_memory(*dump(float_layers(with_weights(classifier_graph()))))
    logits = engine.run(random_image())
    assert logits.shape == (10,)
    assert logits.dtype == np.float32


@pytest.mark.parametrize("bits", [(32, 32, 32, 32), (8, 8, 8, 8), (16, 8, 32, 16)])
def test_runs_are_deterministic(bits: tuple[int, ...]) -> None:
    image = random_image()
    engine = mixed(*bits)
    first = engine.run(image)
    assert np.isfinite(first).all()
    assert np.array_equal(engine.run(image), first)
    assert np.array_equal(mixed(*bits).run(image), first)


@pytest.mark.parametrize("bits", [(32, 32, 32, 32), (8, 8, 8, 8)])
def test_threads_with_an_engine_each_agree(bits: tuple[int, ...]) -> None:
    images = [random_image(seed) for seed in range(8)]
    expected = [mixed(*bits).run(image) for image in images]

    def run(_: int) -> list[np.ndarray]:
        engine = mixed(*bits)
        return [engine.run(image) for image in images]

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(run, range(4)):
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_images_in_any_layout_are_read_alike() -> None:
    """The binding ignores strides: an image decoded as height x width x channel is a view."""
    engine = Engine.from_memory(*FILES)
    image = random_image()
    expected = engine.run(image)
    turned = np.ascontiguousarray(image.transpose(1, 2, 0)).transpose(2, 0, 1)
    wide = np.repeat(image, 2, axis=2)[:, :, ::2]
    for view in (turned, wide):
        assert np.array_equal(engine.run(view), expected)
    assert not turned.flags.c_contiguous and not wide.flags.c_contiguous


@pytest.mark.parametrize("shape", [(6, 5, 7), (6, 4, 4), (5, 1, 3)])
def test_channels_are_found_whatever_their_size(shape: tuple[int, int, int]) -> None:
    """A Concat takes wrong numbers from channels that lie behind one another without gaps."""
    layers = [
        NcnnLayer("Input", "image", (), ("in0",)),
        NcnnLayer("Split", "split", ("in0",), ("a", "b")),
        NcnnLayer("Concat", "twice", ("a", "b"), ("out0",), {0: 0}),
    ]
    image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    found = Engine.from_memory(*dump(layers)).run(image)
    assert np.array_equal(found, np.concatenate([image, image]))


def test_results_outlive_the_engine() -> None:
    """Blobs are copies: ncnn's memory is gone when the extractor is."""
    engine = Engine.from_memory(*FILES)
    first = engine.run(random_image())
    before = first.copy()
    engine.run(random_image(1))
    del engine
    assert np.array_equal(first, before)


def test_blobs_in_the_middle() -> None:
    engine, image = Engine.from_memory(*FILES), random_image()
    names = ("in0", "first", "first_copy1", "depthwise", "second", "sum", "out0")
    found = engine.blobs(image, names)
    assert np.array_equal(found["in0"], image)
    assert np.array_equal(found["first"], found["first_copy1"])
    assert found["first"].shape == (16, SIDE, SIDE)
    np.testing.assert_allclose(found["sum"], found["first"] + found["second"], rtol=1e-6, atol=1e-6)
    assert np.array_equal(found["out0"], engine.run(image))


def test_requantized_blobs_hold_integers() -> None:
    found = mixed(8, 8, 8, 8).blobs(random_image(), ("depthwise",))["depthwise"]
    assert np.array_equal(found, np.round(found))
    assert 1 < np.abs(found).max() <= 127


def test_widths_of_blobs() -> None:
    engine = mixed(8, 8, 8, 32)
    image = random_image()
    widths = {n: engine.blob_width(image, n) for n in ("in0", "first", "depthwise", "out0")}
    assert widths == {"in0": 32, "first": 32, "depthwise": 8, "out0": 32}


@pytest.mark.skipif(capabilities().bits16 == "none", reason="this ncnn has no 16-bit arithmetic")
def test_16_bit_layers_keep_16_bit_blobs() -> None:
    engine = mixed(16, 32, 32, 32)
    assert engine.blob_width(random_image(), "first") == 16
    assert engine.blob_width(random_image(), "second") == 32


def test_a_blob_that_does_not_exist() -> None:
    engine = Engine.from_memory(*FILES)
    with pytest.raises(FormatError, match="blob other"):
        engine.blobs(random_image(), ("other",))
    with pytest.raises(FormatError, match="blob other"):
        engine.blob_width(random_image(), "other")


def test_a_network_without_the_input() -> None:
    param = FILES[0].replace("in0", "image")
    with pytest.raises(FormatError, match="no input blob in0"):
        Engine.from_memory(param, FILES[1]).run(random_image())


@pytest.mark.parametrize("param", ["", "7767518\n1 1\n", "7767517\n1 1\nNoSuchLayer a 0 1 b\n"])
def test_a_param_that_ncnn_cannot_load(param: str) -> None:
    with pytest.raises(FormatError, match=r"cannot load the \.param"):
        Engine.from_memory(param, FILES[1])


@pytest.mark.parametrize("kept", [0, 2, 100])
def test_a_truncated_bin(kept: int) -> None:
    with pytest.raises(FormatError, match=r"cannot load the \.bin"):
        Engine.from_memory(FILES[0], FILES[1][:kept])


def test_capabilities_are_those_of_this_machine() -> None:
    board = capabilities()
    assert board.arch in ("x86", "arm")
    assert board.bits16 == ("bf16" if board.arch == "x86" else board.bits16)
    assert board.types16 == {kind for kind in PROBED if supports(kind, board.bits16)}
    assert isinstance(board, Capabilities)
