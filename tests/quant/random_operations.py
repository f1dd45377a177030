"""Operations with random numbers, as users write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from numpy.random import Generator
from torch import Tensor, nn
from torch.nn import functional as F

from tests.quant.networks import randomise
from tests.quant.parts import (
    ChannelAttention,
    CoordinateAttention,
    GeneralisedMean,
    PlainLayerNorm,
    SpatialAttention,
    deal,
)

Operation = Callable[[Tensor], Tensor]


def whole(rng: Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))


def conv(rng: Generator, channels: int) -> Operation:
    """Also grouped, dilated, and with padding by name."""
    groups = int(rng.choice([g for g in (1, 2, 3, channels) if channels % g == 0]))
    kernel, dilation = (whole(rng, 1, 4), whole(rng, 1, 4)), (whole(rng, 1, 2), whole(rng, 1, 2))
    named = rng.random() < 0.3
    stride = 1 if named else (whole(rng, 1, 3), whole(rng, 1, 3))
    padding = str(rng.choice(["same", "valid"])) if named else (whole(rng, 0, 3), whole(rng, 0, 3))
    outputs = groups * int(rng.choice([1, 2, 3, 5, 8, 16]))
    return nn.Conv2d(channels, outputs, kernel, stride, padding, dilation, groups)


def deconv(rng: Generator, channels: int) -> Operation:
    groups = int(rng.choice([g for g in (1, 2, 3, channels) if channels % g == 0]))
    stride, dilation = whole(rng, 1, 3), whole(rng, 1, 2)
    kernel = whole(rng, 1, 4)
    more = whole(rng, 0, stride - 1)
    outputs = groups * whole(rng, 1, 5)
    padding = whole(rng, 0, dilation * (kernel - 1) // 2)
    return nn.ConvTranspose2d(
        channels, outputs, kernel, stride, padding, more, groups, rng.random() < 0.7, dilation
    )


def norm(rng: Generator, channels: int) -> Operation:
    found = nn.BatchNorm2d(channels).eval()
    randomise(found)
    return nn.Sequential(nn.ReLU(), nn.Sigmoid(), found)


def max_pooling(rng: Generator, channels: int) -> Operation:
    kernel = whole(rng, 1, 4)
    padding = whole(rng, 0, kernel // 2)
    return nn.MaxPool2d(kernel, whole(rng, 1, 3), padding, ceil_mode=rng.random() < 0.5)


def avg_pooling(rng: Generator, channels: int) -> Operation:
    kernel = (whole(rng, 1, 4), whole(rng, 1, 4))
    padding, ceil = whole(rng, 0, min(kernel) // 2), rng.random() < 0.5
    counts = rng.random() < 0.5 and not (ceil and padding)
    return nn.AvgPool2d(kernel, whole(rng, 1, 3), padding, ceil, counts)


def up(rng: Generator, channels: int) -> Operation:
    how = [("nearest", None), ("bilinear", False), ("bilinear", True)]
    mode, aligned = how[whole(rng, 0, 2)]
    size, factor = (whole(rng, 1, 20), whole(rng, 1, 20)), (whole(rng, 1, 4), whole(rng, 1, 4))
    sized = rng.random() < 0.5
    by_size = nn.Upsample(size, None, mode, aligned)
    return nn.Sequential(by_size if sized else nn.Upsample(None, factor, mode, aligned), nn.ReLU())


def cells(rng: Generator, channels: int) -> Operation:
    return nn.Sequential(nn.AdaptiveAvgPool2d((whole(rng, 1, 9), whole(rng, 1, 9))), nn.ReLU())


def gate(rng: Generator, channels: int) -> Operation:
    return lambda x: torch.sigmoid(x.mean((2, 3), keepdim=True)) * x


def product(rng: Generator, channels: int) -> Operation:
    return lambda x: x * torch.sigmoid(x)


def concat(rng: Generator, channels: int) -> Operation:
    return lambda x: torch.cat([F.relu6(x), x, torch.sigmoid(x)], 1)


def split(rng: Generator, channels: int) -> Operation:
    at = whole(rng, 1, channels - 1)

    def take(x: Tensor) -> Tensor:
        first, second = torch.split(x, [at, channels - at], 1)
        return torch.cat([second, first[:, :1], x.narrow(1, at, 1)], dim=1)

    return take


def shuffle(rng: Generator, channels: int) -> Operation:
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    if rng.random() < 0.5:
        return nn.Sequential(nn.ReLU(), nn.ChannelShuffle(groups))
    return lambda x: deal(x + x, groups)


def flatten(rng: Generator, channels: int) -> Operation:
    return lambda x: torch.sigmoid(x.reshape(x.shape[0], -1))


def prelu(rng: Generator, channels: int) -> Operation:
    """Some slopes are negative."""
    found = nn.PReLU(channels if rng.random() < 0.7 else 1)
    nn.init.uniform_(found.weight, -0.5, 1.5)
    return found


def clip(rng: Generator, channels: int) -> Operation:
    low, high = sorted(rng.normal(0, 1, 2).tolist())
    kinds: list[Operation] = [
        lambda x: x.clamp(low, high),
        lambda x: x.clamp(min=low),
        lambda x: torch.clamp(x, max=high),
        nn.Hardtanh(low, high),
        F.hardtanh,
    ]
    return kinds[whole(rng, 0, len(kinds) - 1)]


def group_norm(rng: Generator, channels: int) -> Operation:
    """Also over each channel alone, and without numbers of its own."""
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    if rng.random() < 0.5:
        found: nn.Module = nn.GroupNorm(groups, channels, affine=rng.random() < 0.7)
    else:
        tracks, affine = (rng.random() < 0.5 for _ in range(2))
        found = nn.InstanceNorm2d(channels, affine=affine, track_running_stats=tracks)
    for parameter in found.parameters():
        nn.init.normal_(parameter)
    return found.eval()


def extremes(rng: Generator, channels: int) -> Operation:
    """Of two values, of one and a number a channel or a pixel, and over the channels."""
    kinds: list[Operation] = [
        lambda x: torch.max(torch.tanh(x), x * x),
        lambda x: torch.minimum(x, torch.sigmoid(x)),
        lambda x: torch.maximum(x, x.mean((2, 3), True)),
        lambda x: torch.max(x, 1, keepdim=True)[0] + x,
        lambda x: x.amax(1, True),
    ]
    return kinds[whole(rng, 0, len(kinds) - 1)]


def squares(rng: Generator, channels: int) -> Operation:
    side = whole(rng, 1, 3)
    stem = nn.Conv2d(channels, side * side * whole(rng, 1, 5), 1)
    if rng.random() < 0.5:
        return nn.Sequential(stem, nn.PixelShuffle(side))
    return nn.Sequential(nn.ReLU(), stem, nn.PixelShuffle(side), nn.ReLU())


def padding(rng: Generator, channels: int) -> Operation:
    """Of all kinds, before a convolution, a pool, or nothing."""
    pads = tuple(whole(rng, 0, 3) for _ in range(4))
    kinds = (nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ZeroPad2d)
    found = kinds[whole(rng, 0, 2)](pads)  # type: ignore[arg-type]
    then: list[nn.Module] = [
        nn.Conv2d(channels, 5, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Tanh(),
        nn.Conv2d(channels, 4, 3, padding=(1, 2), padding_mode="reflect"),
    ]
    return nn.Sequential(nn.ReLU(), found, then[whole(rng, 0, 3)])


def response_norm(rng: Generator, channels: int) -> Operation:
    alpha, beta = rng.uniform(0, 2, 2).tolist()
    return nn.LocalResponseNorm(2 * whole(rng, 0, 3) + 1, alpha, beta, float(rng.uniform(0.5, 2)))


def gathered(rng: Generator, channels: int) -> Operation:
    """Channels made of pixels, whose sides are made to fit."""
    side = whole(rng, 1, 3)
    up = nn.Upsample((side * whole(rng, 1, 4), side * whole(rng, 1, 4)))
    return nn.Sequential(nn.ReLU(), up, nn.PixelUnshuffle(side), nn.ReLU())


class Does(nn.Module):
    """A function as a module."""

    def __init__(self, function: Operation) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def channel_attention(rng: Generator, channels: int) -> Operation:
    return ChannelAttention(2 * whole(rng, 0, 3) + 1)


def coordinate_attention(rng: Generator, channels: int) -> Operation:
    return CoordinateAttention(channels, whole(rng, 1, 9)).eval()


def over_one_axis(rng: Generator, channels: int) -> Operation:
    """A sequence of all pixels, or of the means of rows."""
    kernel, groups = whole(rng, 1, 4), int(rng.choice([1, channels]))
    stride, padding, dilation = whole(rng, 1, 2), whole(rng, 0, 2), whole(rng, 1, 2)
    conv = nn.Conv1d(channels, 2 * channels, kernel, stride, padding, dilation, groups)
    before = nn.Flatten(2) if rng.random() < 0.5 else Does(lambda x: x.mean(3))
    return nn.Sequential(before, conv, nn.Sigmoid(), Does(lambda x: x.unsqueeze(2)))


def parts(rng: Generator, channels: int) -> Operation:
    """Ranges of rows and columns, also in steps, and these joined again."""
    first, second = (slice(whole(rng, 0, 2), None, whole(rng, 1, 3)) for _ in range(2))
    kinds: list[Operation] = [
        lambda x: x[:, :, first, second],
        lambda x: F.relu(x)[..., second],
        lambda x: x[..., :-1, 1:] + x.narrow(2, 1, x.shape[2] - 1)[..., :-1],
        lambda x: torch.cat([x, torch.sigmoid(x)[..., first, :]], 2),
        lambda x: torch.cat([x[..., first], F.relu(x)], 3),
        lambda x: torch.cat([x.chunk(2, 2)[1].tanh(), x.chunk(2, 2)[0]], -2),
        lambda x: torch.cat([x[..., :-1:2, :-1:2], x[..., 1::2, 1::2]], 1),
    ]
    size = (whole(rng, 3, 9), whole(rng, 3, 9))
    return nn.Sequential(nn.Upsample(size), Does(kinds[whole(rng, 0, len(kinds) - 1)]))


def by_line(rng: Generator, channels: int) -> Operation:
    """Joined with a number a row or a column, and turned where there is only one of these."""
    kinds: list[Operation] = [
        lambda x: x + x.mean(2, True),
        lambda x: torch.maximum(x.mean(3, keepdim=True), x),
        lambda x: x * x.mean(3, True) * x.mean(2, True),
        lambda x: x.mean(3, True).transpose(2, 3),
        lambda x: x.mean(2, True).permute(0, 1, 3, 2).sigmoid(),
        lambda x: x * x.mean(2, True).mean(3, True) + x.mean(2, True).expand_as(x),
    ]
    return kinds[whole(rng, 0, len(kinds) - 1)]


def reorganised(rng: Generator, channels: int) -> Operation:
    """Channels made of pixels, and pixels of channels, by axes that are moved."""
    side, rows, columns = whole(rng, 2, 3), whole(rng, 1, 4), whole(rng, 1, 4)
    up = nn.Sequential(nn.ReLU(), nn.Upsample((side * rows, side * columns)))
    order = [(0, 1, 3, 5, 2, 4), (0, 3, 5, 1, 2, 4)][whole(rng, 0, 1)]

    def gather(x: Tensor) -> Tensor:
        split = x.view(-1, channels, rows, side, columns, side)
        return split.permute(*order).reshape(-1, channels * side * side, rows, columns)

    def spread(x: Tensor) -> Tensor:
        split = gather(x).view(-1, channels, side, side, rows, columns)
        moved = split.permute(0, 1, 4, 2, 5, 3)
        return moved.reshape(-1, channels, rows * side, columns * side).tanh()

    return nn.Sequential(up, Does(gather if rng.random() < 0.5 else spread))


def powers(rng: Generator, channels: int) -> Operation:
    """Whole and negative ones, roots, and others of what is not negative."""
    root = float(rng.uniform(0.3, 5))
    kinds: list[Operation] = [
        lambda x: x**2 + x.pow(3),
        lambda x: torch.square(x) ** 5,
        lambda x: x.relu().sqrt() + F.relu6(x) ** root,
        lambda x: x.sigmoid() ** -2 + x.sigmoid().pow(-0.25 - root / 5),
        lambda x: torch.rsqrt(x.abs() + 1) + 2 / F.softplus(x),
        lambda x: x.abs().add(1).reciprocal(),
    ]
    return kinds[whole(rng, 0, len(kinds) - 1)]


def quotients(rng: Generator, channels: int) -> Operation:
    """Of two values, also of a small one and a large one, and of vectors."""
    kinds: list[Operation] = [
        lambda x: x / (1 + x.sigmoid()),
        lambda x: x / (2 + torch.tanh(x.mean((2, 3), True))),
        lambda x: x.mean(1, True).sigmoid() + 1 / x.sigmoid(),
        lambda x: torch.tanh(x).amax((2, 3), True) / (x * x + 1),
        lambda x: x.sigmoid() - x / torch.sigmoid(x.mean(2, True)),
    ]
    return kinds[whole(rng, 0, len(kinds) - 1)]


def generalised_mean(rng: Generator, channels: int) -> Operation:
    """Pooling between the mean and the maximum (Radenovic et al. 2018), by a learned power."""
    return GeneralisedMean(3.0 if rng.random() < 0.3 else float(rng.uniform(1, 4)))


def normalised(rng: Generator, channels: int) -> Operation:
    """Divided by the norm over channels, also vectors and images that are 0 somewhere."""
    kinds: list[Operation] = [
        lambda x: F.normalize(x),
        lambda x: F.normalize(x.relu(), dim=1, eps=1e-3),
        lambda x: F.normalize(x.mean((2, 3)), dim=-1),
        lambda x: F.normalize(x.flatten(1)),
        lambda x: x / torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp(min=1e-6),
    ]
    return kinds[whole(rng, 0, len(kinds) - 1)]


OPERATIONS: Mapping[str, Callable[[Generator, int], Operation]] = {
    **{"conv": conv, "deconv": deconv, "norm": norm},
    **{"max": max_pooling, "avg": avg_pooling, "cells": cells, "up": up},
    **{"gate": gate, "product": product, "concat": concat, "split": split},
    **{"shuffle": shuffle, "flatten": flatten},
    "sum": lambda rng, c: lambda x: x + torch.sigmoid(x),
    "mean": lambda rng, c: lambda x: F.relu(x).mean((3, 2), True),
    "relu": lambda rng, c: lambda x: F.relu(torch.sigmoid(x) + x),
    "relu6": lambda rng, c: lambda x: (x + x).clamp(0, 6),
    "leaky": lambda rng, c: nn.LeakyReLU(float(rng.uniform(0, 1))),
    "sigmoid": lambda rng, c: nn.Sigmoid(),
    "hardsigmoid": lambda rng, c: nn.Hardsigmoid(),
    "hardswish": lambda rng, c: nn.Hardswish(),
    "silu": lambda rng, c: nn.SiLU(),
    "mish": lambda rng, c: nn.Mish(),
    "softplus": lambda rng, c: nn.Softplus(),
    "tanh": lambda rng, c: lambda x: torch.tanh(x) + x.tanh(),
    "elu": lambda rng, c: nn.ELU(float(rng.uniform(0, 2))),
    **{"prelu": prelu, "clip": clip, "group_norm": group_norm, "squares": squares},
    **{"padding": padding, "response_norm": response_norm, "gathered": gathered},
    "selu": lambda rng, c: nn.SELU(),
    "celu": lambda rng, c: nn.CELU(float(rng.uniform(0.1, 2))),
    "softsign": lambda rng, c: nn.Softsign(),
    "log_sigmoid": lambda rng, c: nn.LogSigmoid(),
    "abs": lambda rng, c: lambda x: torch.abs(x) + x.abs(),
    **{"channel_attention": channel_attention, "coordinate_attention": coordinate_attention},
    **{"over_one_axis": over_one_axis, "parts": parts, "by_line": by_line},
    **{"reorganised": reorganised, "powers": powers, "quotients": quotients},
    **{"generalised_mean": generalised_mean, "normalised": normalised},
    "channel_norm": lambda rng, c: PlainLayerNorm(c, 0.1),
    **{"extremes": extremes, "spatial": lambda rng, c: SpatialAttention()},
}
