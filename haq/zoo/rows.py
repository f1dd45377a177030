"""Networks of inverted residuals as rows of numbers, as papers print them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from haq.zoo.keys import Keys
from haq.zoo.layers import Activation, scale_channels


class Row(NamedTuple):
    """Blocks in a row: output channels, depthwise kernel, stride of the first, widening, how many.

    A block widens its input `expand` times by a 1x1 convolution, without one where that is None;
    it may squeeze and excite. An `activation` of its own goes before the network's.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    expand: float | None = 6
    repeats: int = 1
    squeezes: bool = False
    activation: Activation | None = None


class Squeeze(NamedTuple):
    """How blocks squeeze: to a quarter of the block's input, or of the widened channels, rounded.

    The gate is what follows the second convolution.
    """

    of: Literal["input", "widened"]
    gate: Activation

    def channels(self, c_in: int, widened: int) -> int:
        """Channels between the two convolutions."""
        return c_in // 4 if self.of == "input" else scale_channels(widened // 4)


QUARTER = Squeeze("input", "sigmoid")
"""As MnasNet squeezes."""


@dataclass(frozen=True)
class Rows:
    """A network: a 3x3 stem with stride 2, rows of blocks, a 1x1 convolution, a linear layer.

    `head` is the width of the last convolution, None for none; `hidden` that of a linear layer
    before the last. `ends_active` puts an activation behind every block, `skips` an addition around
    those that change neither size nor channels.
    """

    keys: Keys
    stem: int
    rows: tuple[Row, ...]
    head: int | None
    activation: Activation = "relu6"
    squeeze: Squeeze = QUARTER
    hidden: int | None = None
    skips: bool = True
    ends_active: bool = False
    bn_eps: float = 1e-5
    bn_momentum: float = 0.1

    @property
    def last_activation(self) -> Activation:
        """That of the last row, which the head has, too."""
        return self.rows[-1].activation or self.activation

    def blocks(self) -> Iterator[tuple[int, int, Row]]:
        """Every block with its stage and its step there, both from 0.

        A stage is what has the same channels; the repetitions of a row have stride 1.
        """
        stage, step, channels = -1, 0, 0
        for row in self.rows:
            for repeat in range(row.repeats):
                stage, step = (stage, step + 1) if row.channels == channels else (stage + 1, 0)
                channels = row.channels
                yield stage, step, row if repeat == 0 else row._replace(stride=1)
