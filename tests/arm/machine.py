"""Tests that need a 64-bit Arm processor, real or emulated."""

import platform

import pytest

arm_only = pytest.mark.skipif(
    platform.machine() not in {"aarch64", "arm64"},
    reason="needs a 64-bit Arm processor: make test-arm emulates one",
)
