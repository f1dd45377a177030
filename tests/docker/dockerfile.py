"""What a Dockerfile says: its stages, their instructions, and what an image remembers of them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from string import Template

KNOWN = ("FROM", "ARG", "COPY", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE")
KNOWN_LAST = ("HEALTHCHECK", "ENTRYPOINT", "CMD")


@dataclass(frozen=True)
class Instruction:
    """A word in capitals, and the rest of its line with all that continues it."""

    word: str
    text: str


@dataclass(frozen=True)
class Stage:
    """A `FROM image AS name` and what follows it."""

    image: str
    name: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Image:
    """What an image remembers for commands in it, and for its containers.

    given: values for the `ARG`s of the Dockerfile, in place of their defaults. args: those of this
    stage, which its commands see and its containers do not.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    args: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    volumes: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()


def read_instructions(text: str) -> Iterator[Instruction]:
    """Instructions of a Dockerfile. Raises ValueError for one that is not known here."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word not in KNOWN + KNOWN_LAST:
            raise ValueError(f"instruction {word} is not known here")
        yield Instruction(word, " ".join(rest.split()))


def read_stages(text: str) -> list[Stage]:
    """Stages of a Dockerfile, in order; a stage without a name is known by its number."""
    stages: list[Stage] = []
    for instruction in read_instructions(text):
        if instruction.word == "FROM":
            image, _, name = instruction.text.partition(" AS ")
            stages.append(Stage(image, name or str(len(stages)), ()))
        else:
            last = stages.pop()
            stages.append(replace(last, instructions=(*last.instructions, instruction)))
    return stages


def remember(image: Image, instruction: Instruction) -> Image:
    """The image after an instruction that changes no file."""
    text = instruction.text
    if instruction.word == "ENV":
        pairs = (word.partition("=") for word in shlex.split(text))
        found = {name: Template(value).substitute(image.env) for name, _, value in pairs}
        return replace(image, env={**image.env, **found})
    if instruction.word == "ARG":
        name, _, default = text.partition("=")
        return replace(image, args={**image.args, name: image.given.get(name, default)})
    if instruction.word == "HEALTHCHECK":
        return replace(image, healthcheck=tuple(json.loads(text.partition("CMD ")[2])))
    if instruction.word == "ENTRYPOINT":
        return replace(image, entrypoint=tuple(json.loads(text)))
    if instruction.word == "CMD":
        return replace(image, command=tuple(json.loads(text)))
    if instruction.word == "VOLUME":
        return replace(image, volumes=(*image.volumes, text))
    if instruction.word == "USER":
        return replace(image, user=text)
    return replace(image, folder=text) if instruction.word == "WORKDIR" else image
