"""What a measuring process may take of the machine."""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass

OPEN_FILES = 256
GRACE_S = 5
"""CPU seconds between the signal that can be caught and the one that cannot."""


@dataclass(frozen=True)
class Confinement:
    """Limits of a process: address space, size of a file that it writes, CPU time of all cores."""

    memory_bytes: int
    file_bytes: int
    cpu_s: int

    def apply(self) -> None:
        """Put this process under the limits for good. It also leaves no core dump."""
        limit(resource.RLIMIT_AS, self.memory_bytes)
        limit(resource.RLIMIT_FSIZE, self.file_bytes)
        limit(resource.RLIMIT_CPU, self.cpu_s, GRACE_S)
        limit(resource.RLIMIT_NOFILE, OPEN_FILES)
        limit(resource.RLIMIT_CORE, 0)


def limit(kind: int, amount: int, grace: int = 0) -> None:
    """Lower a limit, its hard end by `grace` less; one that is lower already stays."""
    soft, hard = (math.inf if n == resource.RLIM_INFINITY else n for n in resource.getrlimit(kind))
    resource.setrlimit(kind, (int(min(amount, soft, hard)), int(min(amount + grace, hard))))
