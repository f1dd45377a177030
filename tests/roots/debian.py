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
    """Install what it takes to make and enter a root folder. Raises MissingError."""
    if os.geteuid() != 0:
        raise MissingError("a root folder is made and entered by root: run this with sudo")
    if is_foreign(arch) and arch != "arm64":
        raise MissingError(f"{arch} is not emulated here, only arm64 is")
    packages = missing_packages(arch)
    if packages and shutil.which("apt-get") is None:
        raise MissingError(f"install these packages of Debian first: {' '.join(packages)}")
    if packages:
        run(["apt-get", "install", "--yes", "--no-install-recommends", *packages], check=True)


def missing_packages(arch: str) -> list[str]:
    """Debian packages of the programs that are not there."""
    emulator = is_foreign(arch) and find_emulator() is None
    maker = shutil.which("debootstrap") is None
    return ["debootstrap"] * maker + ["qemu-user-static"] * emulator


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
