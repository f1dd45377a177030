"""An image as a root folder: every step of a Dockerfile carried out, without layers and without a
Docker engine."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from subprocess import run

from tests.docker.dockerfile import Image, Instruction, read_stages, remember
from tests.roots.debian import make
from tests.roots.inside import PATH, Inside, check_call

STAND_INS = {
    "python:3.11-slim-bookworm": ("ca-certificates", "python3", "python3-venv"),
}
"""Debian packages that make a base image's equal; its python is found as /usr/local/bin/python."""


def build(
    dockerfile: Path, context: Path, folder: Path, arch: str, args: Mapping[str, str]
) -> tuple[Path, Image]:
    """Root folder and memory of the last stage; `args` are as of `docker build --build-arg`.

    Raises CalledProcessError where a step fails.
    """
    roots: dict[str, Path] = {}
    image = Image()
    for stage in read_stages(dockerfile.read_text()):
        root = folder / f"{dockerfile.stem}-{stage.name}"
        start_from(stage.image, root, folder, arch)
        image = Image(args, env={"PATH": PATH})
        for instruction in stage.instructions:
            print(f"{instruction.word} {instruction.text}", flush=True)
            image = carry_out(instruction, image, root, context, roots, arch)
        roots[stage.name] = root
    return root, image


def start_from(image: str, root: Path, folder: Path, arch: str) -> None:
    """A fresh copy of the base image's stand-in."""
    base = folder / "base"
    make(base, arch, STAND_INS[image])
    python = base / "usr/local/bin/python"
    if not python.is_symlink():
        python.symlink_to("/usr/bin/python3")
    shutil.rmtree(root, ignore_errors=True)
    run(["cp", "-a", "--reflink=auto", str(base), str(root)], check=True)


def carry_out(
    instruction: Instruction,
    image: Image,
    root: Path,
    context: Path,
    roots: dict[str, Path],
    arch: str,
) -> Image:
    """Do one step in the root folder, or remember it."""
    if instruction.word == "RUN":
        seen = {**image.args, **image.env}
        inside = Inside(root, arch, seen, image.folder, user=image.user)
        check_call(inside, ["/bin/sh", "-c", instruction.text])
    elif instruction.word == "COPY":
        copy(instruction.text, image.folder, root, context, roots)
    elif instruction.word == "WORKDIR":
        (root / instruction.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
    return remember(image, instruction)


def copy(text: str, folder: str, root: Path, context: Path, roots: dict[str, Path]) -> None:
    """Copy files and folders; their owner is root."""
    first, *rest = shlex.split(text)
    stage = first.removeprefix("--from=") if first.startswith("--from=") else None
    *sources, target = rest if stage else [first, *rest]
    origin = roots[stage] if stage else context
    place = root / folder.lstrip("/") / target if not target.startswith("/") else root / target[1:]
    for source in sources:
        found = origin / source.lstrip("/")
        if found.is_dir():
            shutil.copytree(
                found,
                place,
                symlinks=True,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        else:
            into = place / found.name if target.endswith("/") else place
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, into)
