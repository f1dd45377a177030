from __future__ import annotations

import struct

import pytest

from tests.roots.emulation import MAGIC, MASK, registration


def header(
    bits: int = 2, order: int = 1, system: int = 0, kind: int = 2, machine: int = 183
) -> bytes:
    """The first twenty bytes of an ELF file."""
    return struct.pack("<4s5B7xHH", b"\x7fELF", bits, order, 1, system, 0, kind, machine)


def matches(data: bytes) -> bool:
    """What the kernel compares."""
    return bytes(a & b for a, b in zip(data, MASK, strict=True)) == MAGIC


def test_programs_and_shared_objects_of_64_bit_arm_are_emulated() -> None:
    assert matches(header())
    assert matches(header(kind=3))
    assert matches(header(system=3))


@pytest.mark.parametrize(
    "other", [{"machine": 62}, {"machine": 40, "bits": 1}, {"order": 2}, {"kind": 1}]
)
def test_no_others_are(other: dict[str, int]) -> None:
    assert not matches(header(**other))


def test_the_line_for_the_kernel_has_seven_fields_without_a_zero_byte() -> None:
    line = registration("/usr/bin/qemu-aarch64-static")
    assert line.isprintable()
    _, name, kind, offset, magic, mask, emulator, flags = line.split(":")
    assert (name, kind, offset, flags) == ("qemu-aarch64", "M", "", "PF")
    assert emulator == "/usr/bin/qemu-aarch64-static"
    assert magic.encode().decode("unicode_escape").encode("latin-1") == MAGIC
    assert mask.encode().decode("unicode_escape").encode("latin-1") == MASK
