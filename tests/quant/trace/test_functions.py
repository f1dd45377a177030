from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.trace import trace

SHAPE = (8, 6, 10)
POOLED, GATED = ["global_avg_pool", "reshape"], ["global_avg_pool", "sigmoid", "mul"]
Then = Callable[[Any], Any]


class Function(nn.Module):
    """Whatever `then` does with a convolution's value (N, 8, 6, 10)."""

    def __init__(self, then: Then) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1)
        self.then = then

    def forward(self, x: Tensor) -> Any:
        return self.then(self.conv(x))


@pytest.mark.parametrize(
    ("then", "ops"),
    [
        (lambda x: x.add(x), ["add"]),
        (lambda x: torch.mul(x, F.hardswish(x)), ["hardswish", "mul"]),
        (lambda x: torch.concat((x, x), dim=-3), ["concat"]),
        (lambda x: x[:, 2:7], ["slice"]),
        (lambda x: x[:, -3:, :, :], ["slice"]),
        (lambda x: x[..., :] + x[:, :], ["add"]),
        (lambda x: torch.tensor_split(x, 3, 1)[1], ["slice"]),
        (lambda x: torch.split(x, 3, dim=1)[2], ["slice"]),
        (lambda x: torch.narrow(x, 1, 2, 3), ["slice"]),
        (lambda x: x.mean([-1, 2]), ["global_avg_pool", "reshape"]),
        (lambda x: x.mean(dim=(2, 3), keepdim=True), ["global_avg_pool"]),
        (lambda x: F.adaptive_avg_pool2d(x, (3, 5)), ["avg_pool"]),
        (lambda x: F.adaptive_avg_pool2d(x, (3, 4)), ["adaptive_avg_pool"]),
        (lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(3).squeeze(2), POOLED),
        (lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), ["avg_pool"]),
        (lambda x: F.avg_pool2d(x, (6, 10)), ["global_avg_pool"]),
        (lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), ["max_pool"]),
        (lambda x: torch.max_pool2d(x, 2), ["max_pool"]),
        (lambda x: F.interpolate(x, size=(12, 20), mode="bilinear"), ["resize"]),
        (lambda x: F.interpolate(x, scale_factor=3), ["resize"]),
        (lambda x: F.interpolate(x, size=(9, 20)), ["resize"]),
        (lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"), ["resize"]),
        (lambda x: F.interpolate(x, None, 1.55, "bilinear", False, True), ["resize"]),
        (lambda x: F.interpolate(x, None, 2, "bilinear", align_corners=True), ["resize"]),
        (lambda x: F.interpolate(x, scale_factor=1).sigmoid(), ["sigmoid"]),
        (lambda x: F.channel_shuffle(x, 4), ["shuffle"]),
        (lambda x: F.channel_shuffle(x, 1).sigmoid(), ["sigmoid"]),
        (lambda x: x.view(-1, 2, 4, 60).permute(0, 2, 1, 3).reshape(-1, 8, 6, 10), ["shuffle"]),
        (lambda x: x.reshape(2, 4, 2, 6, 10).swapaxes(1, 2).flatten(1, 2), ["shuffle"]),
        (lambda x: x.view(x.shape[0], -1), ["reshape"]),
        (lambda x: F.leaky_relu(x, 0.3), ["leaky_relu"]),
        (lambda x: F.leaky_relu(x), ["leaky_relu"]),
        (lambda x: F.silu(F.hardsigmoid(x)), ["hardsigmoid", "silu"]),
        (lambda x: x.sigmoid().clamp(min=0), ["sigmoid", "relu"]),
        (lambda x: torch.clamp(x, 0, 6), []),
        (lambda x: x.clamp(-1, 1), ["clip"]),
        (lambda x: x + x.mean((2, 3), True), ["global_avg_pool", "add"]),
        (lambda x: x.mean((2, 3), True).expand(-1, -1, 6, 10) + x, ["global_avg_pool", "add"]),
        (lambda x: x.mean(1, True) * x, ["channel_mean", "mul"]),
        (lambda x: x.mean(3).mean(2), POOLED),
        (lambda x: x.mean(2).mean(-1), POOLED),
        (lambda x: x.mean(3, True) * x, ["avg_pool", "mul"]),
        (lambda x: x.mean(3).unsqueeze(2), ["avg_pool", "reshape"]),
        (lambda x: x.mean(3, True).permute(0, 1, 3, 2), ["avg_pool", "reshape"]),
        (lambda x: x[:, :, 1:3], ["take"]),
        (lambda x: x[:, 1:, 1::2, :-1], ["slice", "take", "max_pool", "take"]),
        (lambda x: x[..., ::2, ::3], ["max_pool"]),
        (lambda x: x.narrow(2, 0, 3), ["take"]),
        (lambda x: torch.cat([x, x], 2), ["concat"]),
        (lambda x: x.chunk(2, 3)[0], ["take"]),
        (lambda x: x.view(-1, 8, 3, 2, 5, 2).permute(0, 3, 5, 1, 2, 4).reshape(-1, 32, 3, 5),
         ["pixel_unshuffle", "shuffle"]),
        (lambda x: x.mean(2, True).mean(3, True) * x, ["global_avg_pool", "mul"]),
        (lambda x: torch.max(x, dim=1, keepdim=True)[0], ["channel_max"]),
        (lambda x: torch.max(x, torch.tanh(x)), ["tanh", "maximum"]),
        (lambda x: torch.minimum(x, x.amax((2, 3), True)), ["max_pool", "minimum"]),
        (lambda x: F.hardtanh(x.clip(max=1.0)), ["clip", "clip"]),
        (lambda x: F.mish(F.elu(torch.tanh(x), 0.5)), ["tanh", "elu", "mish"]),
        (lambda x: F.pixel_shuffle(x, 2), ["pixel_shuffle"]),
        (lambda x: x**2 - x, ["mul", "scale", "add"]),
        (lambda x: x.abs().sqrt().pow(1.5), ["abs", "sqrt", "power"]),
        (lambda x: torch.rsqrt(x.sigmoid()), ["sigmoid", "sqrt", "reciprocal"]),
        (lambda x: 1 / x.sigmoid(), ["sigmoid", "reciprocal"]),
        (lambda x: x / x.sigmoid(), ["sigmoid", "div"]),
        (lambda x: F.normalize(x), ["channel_norm", "clip", "div"]),
        (lambda x: x.mean((2, 3), True) / x.sigmoid(),
         ["global_avg_pool", "sigmoid", "reciprocal", "mul"]),
        (lambda x: F.pixel_unshuffle(x, 2), ["pixel_unshuffle"]),
        (lambda x: F.pad(x, (1, 2, 3, 0), mode="reflect"), ["pad"]),
        (lambda x: F.pad(x, (1, 2)).abs(), ["pad", "abs"]),
        (lambda x: F.logsigmoid(F.softsign(x)), ["softsign", "log_sigmoid"]),
        (lambda x: F.celu(F.selu(x), 0.3), ["selu", "celu"]),
        (lambda x: F.local_response_norm(x, 3, 0.1), ["local_response_norm"]),
        (lambda x: F.hardtanh(x, 0.0, 6.0).contiguous(), []),
        (lambda x: F.dropout(x, 0.5, training=False), []),
        (lambda x: x * torch.sigmoid(x.mean((2, 3), True)).expand_as(x), GATED),
    ],
)  # fmt: skip
def test_functions_compute_what_they_did(then: Then, ops: list[str]) -> None:
    torch.manual_seed(0)
    module, x = Function(then).eval(), torch.randn(2, *SHAPE)
    network = trace(module, SHAPE)
    assert [node.op for node in network.graph.nodes] == ["input", "conv", *ops]
    with torch.no_grad():
        torch.testing.assert_close(FloatNet(network).logits(x), module(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (lambda x: x + 1.0, "'add' is not the sum of two values"),
        (lambda x: torch.add(x, x, alpha=2), "'add' is not the sum of two"),
        (lambda x: x + x.mean(1, True).mean((2, 3), True), "'add' is not the sum of two values"),
        (lambda x: x.mean(1), "'mean': only the mean over"),
        (lambda x: torch.max(x, 1, keepdim=True)[1] + x, "takes a result that is not supported"),
        (lambda x: torch.min(x, 1, keepdim=True)[0], "'min_1' is not the minimum of two values"),
        (lambda x: x.max(), "'max_1' is not the maximum of two values"),
        (lambda x: x ** x, "'pow_1' is no power by a number"),
        (lambda x: 2 ** x, "'pow_1' is no power by a number"),
        (lambda x: F.normalize(x, p=1), "only L2 norms over channels"),
        (lambda x: F.normalize(x, dim=2), "only L2 norms over channels"),
        (lambda x: x / 0.0, "divides by what is no number"),
        (lambda x: 2 / x, "is not the quotient of two values"),
        (lambda x: x - 1, "is not the difference of two values"),
        (lambda x: x * 0.5, "'mul' is not the product of two values"),
        (lambda x: x.mean(3).mean(1), "'mean_1': only the mean over .2, 3."),
        (lambda x: x.mean(3), "'output' reads a value of shape 8x6: neither image nor vector"),
        (lambda x: x.mean(), "'mean': only the mean over .2, 3."),
        (lambda x: torch.cat([x, x], 0), "'cat' joins the images of a batch"),
        (lambda x: torch.cat([x, x[..., 1:]], 2), "does not run"),
        (lambda x: x.chunk(2, 0)[0], "'chunk_0' takes a part of other than an image"),
        (lambda x: x[:, :, 6:], "'getitem' takes nothing"),
        (lambda x: x.mean((2, 3), True).expand_as(x).tanh(), "only supported where it joins"),
        (lambda x: x[:, ::2], "'getitem': channels are not taken in steps of 2"),
        (lambda x: x[:1], "'getitem': of indexes only"),
        (lambda x: x[:, 3], "'getitem': of indexes only"),
        (lambda x: x.narrow(0, 0, 1), "'narrow' takes a part of other than an image"),
        (lambda x: x.permute(0, 2, 3, 1), "is read with its axes moved"),
        (lambda x: x.flatten(0, 1), "'flatten' mixes the images"),
        (lambda x: torch.sigmoid(x.flatten(2)), "'sigmoid' reads a value of shape 8x60"),
        (lambda x: F.adaptive_max_pool2d(x, 4), "maximum of pixels 6x10 in 4x4 is not supported"),
        (lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), "set count_include_pad=False"),
        (lambda x: F.avg_pool2d(x, 2, divisor_override=3), "divisor_override is not supported"),
        (lambda x: F.max_pool2d(x, 2, dilation=2), "max pooling with dilation"),
        (lambda x: F.interpolate(x, scale_factor=1.55), "which leaves a part of a pixel"),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), "only mode nearest and bil"),
        (lambda x: F.pad(x, (1, 1), value=1.0), "pads other than zeros or pixels"),
        (lambda x: F.pad(x, (0, 0, 0, 0, 1, 1)), "pads other than zeros or pixels"),
        (lambda x: F.pad(x, (1, 1, 1, 1), "circular"), "pads other than zeros or pixels"),
        (lambda x: F.local_response_norm(x, 4), "only of an odd number of channels"),
        (lambda x: x.clamp(x.sigmoid()), "only clipped at numbers"),
        (lambda x: F.dropout(x, 0.5), "'dropout' is random"),
        (lambda x: x.flatten(2).expand(-1, -1, 60), "'expand' reads a value of shape 8x60"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(then: Then, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        trace(Function(then), SHAPE)
    assert "\n" not in str(caught.value)
