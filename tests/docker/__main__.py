"""`python -m tests.docker [agent|service] [amd64|arm64]`: builds docker/agent.Dockerfile, or the
service's, in a root folder, runs it read-only and without rights, and has it measure or search.

Where torch comes from, TORCH_INDEX says, as an index or as a folder of wheels. What a Docker engine
adds is not checked: layers, seccomp, control groups, published ports.
"""

from __future__ import annotations

import platform
import sys
from subprocess import CalledProcessError

from tests.docker.check_agent import check_agent
from tests.docker.check_service import check_service
from tests.roots.debian import MissingError
from tests.roots.emulation import MACHINES

CHECKS = {"agent": check_agent, "service": check_service}


def main() -> int:
    """Build and check; 0 if all is well."""
    words = sys.argv[1:]
    here = next(name for name, machine in MACHINES.items() if machine == platform.machine())
    name = next((word for word in words if word in CHECKS), "agent")
    arch = next((word for word in words if word in MACHINES), here)
    try:
        CHECKS[name](arch)
    except (MissingError, CalledProcessError) as error:
        print(f"tests.docker: {error}", file=sys.stderr)
        return 2
    print(f"docker/{name}.Dockerfile is sound on {arch}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
