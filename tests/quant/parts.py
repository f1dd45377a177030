"""Parts of the blocks: attention of every kind, norms and means that are written out."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tests.quant.networks import conv_bn


class SqueezeExcite(nn.Module):
    """Factors a channel from the means of the channels (Hu et al. 2018)."""

    def __init__(self, channels: int, squeezed: int, gate: nn.Module) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        factors: Tensor = self.gate(self.expand(F.relu(self.reduce(self.pool(x)))))
        return factors * x


class LinearSqueezeExcite(nn.Module):
    """The same by linear layers and views."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Sequential(
            nn.Linear(channels, 4), nn.ReLU(), nn.Linear(4, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        count, channels, _, _ = x.size()
        means = F.adaptive_avg_pool2d(x, 1).view(count, channels)
        factors: Tensor = self.linear(means).view(count, channels, 1, 1)
        return x * factors.expand_as(x)


def deal(x: Tensor, groups: int) -> Tensor:
    """Channels dealt out to groups, as ShuffleNet's published code does it."""
    count, channels, height, width = x.size()
    x = x.view(count, groups, channels // groups, height, width)
    return torch.transpose(x, 1, 2).contiguous().view(count, -1, height, width)


class SelfAttention(nn.Module):
    """Attention of tokens to each other, by matrix products or by torch's own function."""

    def __init__(self, dims: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.qkv, self.out = nn.Linear(dims, 3 * dims), nn.Linear(dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        count, tokens, dims = x.shape
        qkv = self.qkv(x).reshape(count, tokens, 3, self.heads, dims // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            found = F.scaled_dot_product_attention(q, k, v)
        else:
            scores = (q @ k.transpose(-2, -1)) * (dims // self.heads) ** -0.5
            found = scores.softmax(dim=-1) @ v
        joined: Tensor = self.out(found.transpose(1, 2).reshape(count, tokens, dims))
        return joined


class SpatialAttention(nn.Module):
    """A factor a pixel, of the mean and the maximum over the channels (Woo et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(both))


class ChannelAttention(nn.Module):
    """A factor a channel, of its mean and those beside it (ECA, Wang et al. 2020)."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel, padding=(kernel - 1) // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(-1, -2)
        y = self.conv(y).transpose(-1, -2).unsqueeze(-1)
        return x * torch.sigmoid(y).expand_as(x)


class CoordinateAttention(nn.Module):
    """A factor a row and one a column of each channel (Hou et al. 2021)."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.rows, self.columns = nn.AdaptiveAvgPool2d((None, 1)), nn.AdaptiveAvgPool2d((1, None))
        self.squeeze = nn.Sequential(conv_bn(channels, inner, 1), nn.Hardswish())
        self.conv_h, self.conv_w = (nn.Conv2d(inner, channels, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        _, _, height, width = x.size()
        y = self.squeeze(torch.cat([self.rows(x), self.columns(x).permute(0, 1, 3, 2)], dim=2))
        rows, columns = torch.split(y, [height, width], dim=2)
        columns = self.conv_w(columns.permute(0, 1, 3, 2)).sigmoid()
        attended: Tensor = x * columns * self.conv_h(rows).sigmoid()
        return attended


class GeneralisedMean(nn.Module):
    """A mean of powers, whose exponent is learned (GeM, Radenovic et al. 2018)."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.full((1,), exponent))

    def forward(self, x: Tensor) -> Tensor:
        powers = x.clamp(min=1e-6).pow(self.exponent)
        mean = F.avg_pool2d(powers, (x.size(-2), x.size(-1)))
        return mean.pow(1.0 / self.exponent)


class PlainLayerNorm(nn.Module):
    """A norm over channels as ConvNeXt's published code writes it."""

    def __init__(self, channels: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.rand(channels) + 0.5)
        self.bias = nn.Parameter(torch.randn(channels))

    def forward(self, x: Tensor) -> Tensor:
        u = x.mean(1, keepdim=True)
        s = (x - u).pow(2).mean(1, keepdim=True)
        x = (x - u) / torch.sqrt(s + self.eps)
        return self.weight[:, None, None] * x + self.bias[:, None, None]
