"""Programs of 64-bit Arm on another processor: qemu's user mode, found by the kernel by itself."""

from __future__ import annotations

import platform
import shutil

# Bytes of an ELF header: the magic, 64 bits, little-endian, executable (or, by the mask, a shared
# object), machine 183.
MAGIC = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00"
# Which bits of them count: all but the kind of system, and the last one of the file's type.
MASK = b"\xff" * 7 + b"\x00" + b"\xff" * 8 + b"\xfe\xff\xff\xff"
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")
MACHINES = {"arm64": "aarch64", "amd64": "x86_64"}
"""Debian's names of architectures, and the kernel's."""


def is_foreign(arch: str) -> bool:
    """Whether programs of an architecture, by Debian's name, need an emulator here."""
    return platform.machine() != MACHINES[arch]


def find_emulator() -> str | None:
    """Path of qemu's user-mode emulator, or None. It must be linked statically."""
    return next((path for name in EMULATORS if (path := shutil.which(name))), None)


def registration(emulator: str) -> str:
    """What the kernel's binfmt_misc is told.

    F: the emulator is opened now, so that it is found in every root folder; P: it is told by which
    name a program was started, on which Python's virtual environments rely.
    """
    return f":qemu-aarch64:M::{escaped(MAGIC)}:{escaped(MASK)}:{emulator}:PF"


def escaped(data: bytes) -> str:
    r"""Bytes as \x escapes: the kernel's line can hold no zero and no colon."""
    return "".join(f"\\x{byte:02x}" for byte in data)
