from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.trace import trace
from quant.trace.modules import layer_weights

SHAPE = (4, 7, 9)


@pytest.mark.parametrize(
    ("module", "ops"),
    [
        (nn.Conv2d(4, 6, 3, padding="valid", dilation=2), ["conv"]),
        (nn.Conv2d(4, 6, (4, 3), padding="same", dilation=(3, 1), groups=2), ["conv"]),
        (nn.ConvTranspose2d(4, 6, 3, (2, 1), (1, 0), (1, 0), groups=2, bias=False), ["deconv"]),
        (nn.BatchNorm2d(4), ["scale"]),
        (nn.Hardtanh(0, 6), ["relu6"]),
        (nn.Hardtanh(-2, 2), ["clip"]),
        (nn.InstanceNorm2d(4, track_running_stats=True).eval(), ["scale"]),
        (nn.InstanceNorm2d(4, affine=True), ["group_norm"]),
        (nn.Sequential(nn.GroupNorm(2, 4), nn.PReLU()), ["group_norm", "prelu"]),
        (nn.Sequential(nn.ELU(), nn.Mish(), nn.Tanh()), ["elu", "mish", "tanh"]),
        (nn.PixelShuffle(2), ["pixel_shuffle"]),
        (
            nn.Sequential(nn.ReflectionPad2d((1, 0, 1, 0)), nn.PixelUnshuffle(2)),
            ["pad", "pixel_unshuffle"],
        ),
        (nn.Sequential(nn.SELU(), nn.CELU(0.5), nn.Softsign()), ["selu", "celu", "softsign"]),
        (
            nn.Sequential(nn.LogSigmoid(), nn.LocalResponseNorm(3)),
            ["log_sigmoid", "local_response_norm"],
        ),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), ["pad", "conv"]),
        (nn.Conv2d(4, 4, 3, padding="same", padding_mode="replicate"), ["pad", "conv"]),
        (nn.Sequential(nn.ZeroPad2d((1, 2, 3, 0)), nn.Conv2d(4, 4, 3, padding=1)), ["conv"]),
        (nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(2)), ["pad", "max_pool"]),
        (nn.ReLU6(), ["relu6"]),
        (nn.LeakyReLU(0.3), ["leaky_relu"]),
        (nn.MaxPool2d((3, 2), (2, 3), (1, 0), ceil_mode=True), ["max_pool"]),
        (nn.AvgPool2d((3, 2), ceil_mode=True), ["avg_pool"]),
        (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), ["avg_pool"]),
        (nn.AvgPool2d((7, 9)), ["global_avg_pool"]),
        (nn.AdaptiveAvgPool2d((7, 3)), ["avg_pool"]),
        (nn.AdaptiveAvgPool2d((None, 1)), ["avg_pool"]),
        (nn.AdaptiveMaxPool2d((7, 3)), ["max_pool"]),
        (nn.ChannelShuffle(2), ["shuffle"]),
        (nn.UpsamplingNearest2d(scale_factor=2), ["resize"]),
        (nn.UpsamplingBilinear2d(scale_factor=2), ["resize"]),
        (nn.Upsample((14, 27), mode="bilinear"), ["resize"]),
        (nn.Flatten(), ["reshape"]),
        (nn.Sequential(nn.Flatten(), nn.Linear(252, 5), nn.BatchNorm1d(5)), ["reshape", "linear"]),
        (nn.Sequential(nn.Flatten(2), nn.Unflatten(2, (7, 9)), nn.SiLU()), ["silu"]),
        (nn.Sequential(nn.Dropout2d(), nn.Identity(), nn.Sigmoid()), ["sigmoid"]),
    ],
)
def test_modules_compute_what_they_did(module: nn.Module, ops: list[str]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, *SHAPE)
    network = trace(nn.Sequential(module), SHAPE)
    assert [node.op for node in network.graph.nodes] == ["input", *ops]
    with torch.no_grad():
        torch.testing.assert_close(FloatNet(network).logits(x), module(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("end", [nn.Softmax(1), nn.LogSoftmax(-1), nn.Softmax()])
def test_a_softmax_over_the_classes_is_left_out(end: nn.Module) -> None:
    body = nn.Sequential(nn.Flatten(), nn.Linear(252, 5))
    x = torch.randn(2, *SHAPE)
    network = trace(nn.Sequential(body, end), SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(FloatNet(network).logits(x), body(x), rtol=1e-5, atol=1e-5)
    with pytest.raises(ModelError, match="only supported at the end"):
        trace(nn.Sequential(body, end, nn.Linear(5, 5)), SHAPE)


class DynamicConv2d(nn.Conv2d):
    """Pads by the size of what it reads."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(x, [x.shape[-1] % 2] * 4))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Tanhshrink(), r"layer 0 \(Tanhshrink\) is not supported"),
        (nn.LocalResponseNorm(2), "only of an odd number of channels"),
        (nn.PixelUnshuffle(3), "does not run on inputs of 4x7x9"),
        (nn.ReflectionPad2d(-1), "crops its input"),
        (nn.Softplus(threshold=1), "softplus with a beta or threshold of its own"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), "padding_mode 'circular'"),
        (DynamicConv2d(4, 4, 3), r"layer 0 \(DynamicConv2d\) has a forward of its own"),
        (nn.ConvTranspose2d(4, 4, 3, 1, 0, 1, dilation=2), "output_padding must be less"),
        (nn.BatchNorm2d(4, track_running_stats=False), "0 has no running statistics"),
        (nn.MaxPool2d(2, dilation=2), "max pooling with dilation"),
        (nn.AvgPool2d(2, divisor_override=3), "divisor_override"),
        (nn.AvgPool2d(4, 3, 1, ceil_mode=True), "with ceil_mode, is not supported"),
        (nn.AdaptiveMaxPool2d(2), "maximum of pixels 7x9 in 2x2"),
        (nn.Upsample(scale_factor=2, mode="bicubic"), "only mode nearest and bilinear"),
        (nn.Linear(9, 3), "layer 0 reads no vector: flatten before it"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(module: nn.Module, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        trace(nn.Sequential(module), SHAPE)
    assert "\n" not in str(caught.value)


def test_a_missing_bias_is_zero() -> None:
    assert layer_weights(nn.Linear(3, 2, bias=False)).bias.tolist() == [0.0, 0.0]
    deconv = nn.ConvTranspose2d(3, 5, 2, bias=False)
    assert layer_weights(deconv, 5).bias.tolist() == [0.0] * 5


def test_weights_are_copies() -> None:
    conv = nn.Conv2d(1, 1, 1)
    weights = layer_weights(conv)
    before = weights.weight.copy()
    with torch.no_grad():
        conv.weight.add_(1.0)
    assert (weights.weight == before).all()
