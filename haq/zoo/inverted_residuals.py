"""The builder of all networks of inverted residuals (MobileNetV2's blocks) from their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor, nn

from haq.names import Padding
from haq.zoo.classifier import Classifier
from haq.zoo.keys import BlockKeys, Place, Unit
from haq.zoo.layers import (
    ACTIVATIONS,
    Activation,
    SqueezeExcite,
    conv,
    initialise,
    scale_channels,
    stem_stride,
)
from haq.zoo.rows import Row, Rows

DROPOUT = 0.2


@dataclass(frozen=True)
class Block:
    """Modules behind each other by name, and a skip around them where that is wanted."""

    chain: list[Step]
    skips: bool

    def run(self, net: nn.Module, x: Tensor) -> Tensor:
        """(N, c_in, H, W) -> (N, c_out, H/stride, W/stride)."""
        out = run(net, self.chain, x)
        return x + out if self.skips else out


Step = str | Block
"""A module's name or a block."""


class InvertedResiduals(Classifier):
    """A network of rows for square inputs of `input_size` pixels a side.

    Its modules are called as in published checkpoints, whatever way these nest them; so what runs
    after what is kept beside the tree of modules, by name: who replaces a module runs the new one.
    """

    def __init__(
        self,
        rows: Rows,
        classes: int,
        channels: int,
        input_size: int,
        width: float = 1.0,
        padding: Padding = "torch",
    ) -> None:
        super().__init__()
        builder = Builder(self, rows, channels, input_size, width, padding)
        self._chain = [
            *builder.features(stem_stride(input_size)),
            *builder.classifier(classes),
        ]
        initialise(self)

    def logits(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, channels, H, W)."""
        return run(self, self._chain, x)


class Builder:
    """Puts modules into a network, and knows channels and pixels a side behind the last one."""

    def __init__(
        self,
        net: nn.Module,
        rows: Rows,
        channels: int,
        size: int,
        width: float,
        padding: Padding,
    ) -> None:
        self.net, self.rows = net, rows
        self.channels, self.size = channels, size
        self.width, self.padding = width, padding

    def features(self, stride: int) -> list[Step]:
        """Stem of this stride, blocks and the last convolution, if there is one."""
        rows, stem = self.rows, scale_channels(self.rows.stem * self.width)
        chain = self.unit(rows.keys.stem, stem, rows.activation, kernel=3, stride=stride)
        blocks = list(rows.blocks())
        for number, (stage, step, row) in enumerate(blocks):
            place = Place(number, stage, step, row.expand is not None, row.squeezes)
            chain.append(self.block(row, rows.keys.block(place)))
        if rows.head is not None:
            head = scale_channels(rows.head * max(1.0, self.width))
            chain += self.unit(rows.keys.head(len(blocks)), head, rows.last_activation)
        return chain

    def block(self, row: Row, names: BlockKeys) -> Block:
        """An inverted residual."""
        rows, c_in, c_out = self.rows, self.channels, scale_channels(row.channels * self.width)
        kind = row.activation or rows.activation
        chain: list[Step] = []
        if row.expand is not None:
            chain += self.unit(names.expand, scale_channels(c_in * row.expand), kind)
        chain += self.unit(names.depthwise, self.channels, kind, row.kernel, row.stride, True)
        if row.squeezes:
            chain.append(self.squeeze(names.squeeze, c_in))
        chain += self.unit(names.project, c_out, kind if rows.ends_active else None)
        return Block(chain, rows.skips and row.stride == 1 and c_in == c_out)

    def unit(
        self,
        names: Unit,
        c_out: int,
        kind: Activation | None,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
    ) -> list[Step]:
        """Convolution, batch norm and perhaps an activation."""
        groups = self.channels if depthwise else 1
        given = self.channels, c_out, kernel, stride, groups, self.size, self.padding
        norm = nn.BatchNorm2d(c_out, self.rows.bn_eps, self.rows.bn_momentum)
        chain: list[Step] = [self.put(names.conv, conv(*given)), self.put(names.norm, norm)]
        if kind is not None:
            chain.append(self.put(names.activation, ACTIVATIONS[kind]()))
        self.channels, self.size = c_out, -(-self.size // stride)
        return chain

    def squeeze(self, name: str, c_in: int) -> str:
        """Squeeze and excitation behind a depthwise convolution in a block of `c_in` channels."""
        rule, names = self.rows.squeeze, self.rows.keys.squeeze
        squeezed = rule.channels(c_in, self.channels)
        return self.put(name, SqueezeExcite(self.channels, squeezed, rule.gate, names))

    def classifier(self, classes: int) -> list[Step]:
        """Means over the pixels, and one or two linear layers."""
        keys, hidden = self.rows.keys, self.rows.hidden
        chain: list[Step] = [self.put("pool", nn.AdaptiveAvgPool2d(1))]
        chain.append(self.put("flatten", nn.Flatten(1)))
        if hidden is not None:
            chain.append(self.put(keys.hidden, nn.Linear(self.channels, hidden)))
            chain.append(self.put("hidden_activation", ACTIVATIONS[self.rows.last_activation]()))
        chain.append(self.put("dropout", nn.Dropout(DROPOUT)))
        chain.append(self.put(keys.classifier, nn.Linear(hidden or self.channels, classes)))
        return chain

    def put(self, name: str, module: nn.Module) -> str:
        """Register a module under a dotted name, in containers made as needed; gives the name."""
        *path, last = name.split(".")
        root = self.net
        for part in path:
            if part not in dict(root.named_children()):
                root.add_module(part, nn.Module())
            root = root.get_submodule(part)
        root.add_module(last, module)
        return name


def run(net: nn.Module, chain: Iterable[Step], x: Tensor) -> Tensor:
    """Modules of a network one after the other."""
    for step in chain:
        x = step.run(net, x) if isinstance(step, Block) else net.get_submodule(step)(x)
    return x
