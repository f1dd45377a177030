from __future__ import annotations

import pytest
import torch

from quant.graph import Layer
from quant.quantized import InputLevels
from quant.recipe.levels import choose_levels, join, take_sample

DENSE = Layer("dense", "conv", 4, 3, in_size=(8, 8), out_size=(8, 8))
PADDED = Layer("padded", "conv", 4, 3, (3, 3), pads=(1, 1, 1, 1), in_size=(8, 8), out_size=(8, 8))
DEPTHWISE = Layer("dw", "conv", 4, 4, (3, 3), groups=4, in_size=(8, 8), out_size=(6, 6))


def values(signed: bool) -> torch.Tensor:
    """Channels of very different reach."""
    x = torch.rand(10, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    reach = torch.tensor([0.1, 1.0, 4.0, 6.0]).reshape(1, 4, 1, 1)
    return (x - 0.3 * signed) * reach


def weight(layer: Layer) -> torch.Tensor:
    return torch.randn(layer.weight_shape, generator=torch.Generator().manual_seed(1))


def choose(
    layer: Layer, signed: bool, bits: int, spread: bool = True, offset: bool = True
) -> InputLevels:
    sample = take_sample(values(signed), 1000)
    return choose_levels(layer, sample, weight(layer), bits, spread, offset)


def rounded(x: torch.Tensor, levels: InputLevels) -> torch.Tensor:
    shape = (1, -1, 1, 1)
    spread = torch.ones(1) if levels.spread is None else torch.from_numpy(levels.spread)
    offset = torch.zeros(1) if levels.offset is None else torch.from_numpy(levels.offset)
    step = (spread / levels.scale).reshape(shape)
    integers = ((x - offset.reshape(shape)) / step).round().clamp(levels.low, levels.high)
    return integers * step + offset.reshape(shape)


@pytest.mark.parametrize("layer", [DENSE, PADDED, DEPTHWISE], ids=lambda layer: layer.name)
@pytest.mark.parametrize("signed", [False, True])
def test_8_bits_lose_next_to_nothing(layer: Layer, signed: bool) -> None:
    x, levels = values(signed), choose(layer, signed, 8)
    lost = (rounded(x, levels) - x).square().mean()
    assert lost <= 1e-4 * x.square().mean()


def test_levels_are_unsigned_behind_a_relu_and_where_an_offset_may_be() -> None:
    assert (choose(DENSE, False, 4).low, choose(DENSE, False, 4).high) == (0, 15)
    shifted = choose(DENSE, True, 4)
    assert (shifted.low, shifted.high) == (0, 15)
    assert shifted.offset is not None and bool((shifted.offset < 0).all())
    assert (choose(PADDED, True, 4).low, choose(PADDED, True, 4).offset) == (-7, None)
    assert choose(DENSE, True, 4, offset=False).offset is None


def test_a_range_for_every_channel_of_a_depthwise_layer() -> None:
    x = values(signed=False)
    for bits in (3, 4, 6):
        alone = rounded(x, choose(DEPTHWISE, False, bits)) - x
        shared = rounded(x, choose(DEPTHWISE, False, bits, spread=False)) - x
        assert alone.square().sum() < shared.square().sum()


def test_more_bits_lose_less() -> None:
    x = values(signed=True)
    for layer in (DENSE, PADDED, DEPTHWISE):
        lost = [
            float((rounded(x, choose(layer, True, b)) - x).square().sum()) for b in (2, 4, 6, 8)
        ]
        assert lost == sorted(lost, reverse=True)


def test_samples_of_batches_join() -> None:
    x = values(signed=True)
    joined = join([take_sample(x[:5], 100), take_sample(x[5:], 100)])
    assert torch.equal(joined.high, x.amax((0, 2, 3)))
    assert torch.equal(joined.low, x.amin((0, 2, 3)))
