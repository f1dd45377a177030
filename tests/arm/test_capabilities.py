"""Which 16-bit type ncnn computes in, on the processor at hand."""

from __future__ import annotations

import os

from device_agent.measuring.device import describe, read_cpuinfo
from quant.ncnn.runtime import capabilities
from tests.arm.machine import arm_only

pytestmark = arm_only
WITH_FP16 = {"max": True, "cortex-a72": False}
ALL_TYPES = {
    *("Convolution", "ConvolutionDepthWise", "InnerProduct"),
    *("BinaryOp", "Pooling", "ReLU", "Clip"),
}


def has_fp16() -> bool:
    """Whether the processor computes in fp16: as emulated, else as the kernel says."""
    if "QEMU_CPU" in os.environ:
        return WITH_FP16[os.environ["QEMU_CPU"]]
    with open("/proc/cpuinfo") as file:  # noqa: PTH123
        return "asimdhp" in read_cpuinfo(file.read())["Features"].split()


def test_fp16_where_the_processor_has_it_and_bf16_elsewhere() -> None:
    assert capabilities().bits16 == ("fp16" if has_fp16() else "bf16")


def test_every_layer_type_has_16_bits() -> None:
    """Other than on x86, where depthwise convolutions have none."""
    assert capabilities().types16 == ALL_TYPES


def test_the_agent_tells_it() -> None:
    facts = describe()
    assert (facts["arch"], facts["machine"]) == ("arm", "aarch64")
    assert facts["bits16"] == capabilities().bits16
