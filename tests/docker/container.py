"""A container of an image: its root folder read-only, its user without rights, its volume."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any

from tests.docker.dockerfile import Image
from tests.roots.inside import Inside, call, start

STOP_S = 10.0
"""After this `docker stop` kills."""


@dataclass(frozen=True)
class Container:
    """data: the folder of the image's one volume. env, binds: as `docker run --env --volume`."""

    root: Path
    image: Image
    arch: str
    data: Path
    env: Mapping[str, str] = field(default_factory=dict)
    binds: Mapping[str, Path] = field(default_factory=dict)

    @property
    def started(self) -> list[str]:
        """The command that it starts with."""
        return [*self.image.entrypoint, *self.image.command]

    @property
    def inside(self) -> Inside:
        """How its commands see it."""
        (volume,) = self.image.volumes
        return Inside(
            self.root,
            self.arch,
            {**self.image.env, **self.env},
            self.image.folder,
            self.binds,
            {volume: self.data},
            self.image.user,
            read_only=True,
        )

    def output(self, *arguments: str) -> str:
        """What the entry point prints, called with arguments. It must end with 0."""
        command = [*self.image.entrypoint, *arguments]
        with start(self.inside, command, stdout=PIPE, text=True) as process:
            text, _ = process.communicate()
        assert process.returncode == 0, f"{command} ended with {process.returncode}"
        return str(text).strip()

    def status(self) -> int:
        """How it ends where nobody stops it."""
        return call(self.inside, self.started)

    def can(self, command: str) -> bool:
        """Whether a line of shell ends with 0 in the container."""
        return call(self.inside, ["sh", "-c", f"{command} 2> /dev/null"]) == 0

    def is_healthy(self) -> bool:
        """What the health check says."""
        return call(self.inside, self.image.healthcheck) == 0

    @contextmanager
    def running(self) -> Iterator[Popen[Any]]:
        """The entry point as process 1, stopped at the end as `docker stop` does."""
        process = start(self.inside, self.started)
        try:
            yield process
        finally:
            stop(process)


def stop(process: Popen[Any]) -> None:
    """Ask process 1 of the container to end. Raises TimeoutExpired where it had to be killed."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except TimeoutExpired:
        process.kill()
        raise
