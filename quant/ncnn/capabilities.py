"""What the ncnn of a machine really computes in 16 bits."""

from dataclasses import dataclass
from typing import Literal

Bits16 = Literal["none", "bf16", "fp16"]
Arch = Literal["x86", "arm"]


@dataclass(frozen=True)
class Capabilities:
    """`bits16` is the 16-bit type of convolutions; `types16` the layer types that have it.

    A layer type outside of `types16` runs in float32 whatever is asked: on x86 a depthwise
    convolution has no 16-bit path.
    """

    arch: Arch = "x86"
    bits16: Bits16 = "none"
    types16: frozenset[str] = frozenset()

    @property
    def cast_params(self) -> tuple[int, int]:
        """(from, to) of the Cast layer that brings a 16-bit blob back to float32.

        Cast_x86 knows no bf16: the network's own conversion does the work and the layer is an
        identity. Arm names the type: 2 is fp16, 4 is bf16.
        """
        if self.arch == "x86":
            return 1, 1
        return (2, 1) if self.bits16 == "fp16" else (4, 1)

    @property
    def int8_output16(self) -> frozenset[str]:
        """Types whose unmasked int8 layers leave a 16-bit blob."""
        if self.arch == "x86":
            return frozenset({"Convolution"})
        return frozenset({"Convolution", "ConvolutionDepthWise"})
