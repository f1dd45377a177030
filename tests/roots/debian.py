"""A Debian root folder, made by debootstrap."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from subprocess import run

from tests.roots.emulation import find_emulator, is_foreign
from tests.roots.inside import Inside, check_call

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
STAMP = "etc/made-for-tests"
# debootstrap tries to make a device first, which it may not here, unless this says that others do.
SECOND_STAGE_ENV = {"container": "lxc", "DEBIAN_FRONTEND": "noninteractive"}


class MissingError(Exception):
    """What has to be there first, in one line."""


def require_tools(arch: str) -> None:
    """Raise MissingError unless a root folder can be made and entered."""
    if os.geteuid() != 0:
        raise MissingError("a root folder is made and entered by root: run this with sudo")
    if shutil.which("debootstrap") is None:
        raise MissingError("debootstrap is missing: apt-get install debootstrap")
    if is_foreign(arch) and find_emulator() is None:
        raise MissingError(f"no emulator for {arch}: apt-get install qemu-user-static")


def make(root: Path, arch: str, packages: Sequence[str]) -> None:
    """Make a root folder with Debian's smallest system and some packages, unless it is there.

    The packages are set up inside, by programs of `arch` itself.
    """
    require_tools(arch)
    stamp = f"{SUITE} {arch} {' '.join(packages)}\n"
    if (root / STAMP).is_file() and (root / STAMP).read_text() == stamp:
        return
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(parents=True, exist_ok=True)
    run(
        [
            *("debootstrap", "--foreign", f"--arch={arch}", "--variant=minbase"),
            *(f"--include={','.join(packages)}", SUITE, str(root), MIRROR),
        ],
        check=True,
    )
    second_stage = ["/debootstrap/debootstrap", "--second-stage"]
    check_call(Inside(root, arch, SECOND_STAGE_ENV), second_stage)
    (root / STAMP).write_text(stamp)
