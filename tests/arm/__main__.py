"""`python -m tests.arm`: the tests that need no torch, on an emulated 64-bit Arm.

Makes a Debian of that architecture and a virtual environment in it, in the folder .arm, where they
stay for the next time. No latency means anything here.
"""

from __future__ import annotations

import sys
from importlib.metadata import requires
from pathlib import Path
from subprocess import CalledProcessError

from tests.roots.debian import MissingError, make
from tests.roots.inside import Inside, call, check_call

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".arm"
PACKAGES = ("ca-certificates", "python3", "python3-venv")
VENV, STAMP = "/opt/venv", "opt/venv/installed"
TEST_TOOLS = ("pytest", "hypothesis", "trustme", "httpx2")

NCNN = ("tests/quant/ncnn", "tests/arm")
RUNS = {"max": ("tests/device_agent", "tests/quant", "tests/arm"), "cortex-a72": NCNN}
"""Tests by processor: `max` computes in fp16, as a Raspberry Pi 5 does; cortex-a72 is that of a
Raspberry Pi 4, which does not. The agent starts its children without the variable that chooses the
processor, so it is tested on qemu's own choice, which is `max`."""


def main() -> int:
    """Set up what is missing, run the tests on every processor, and return 0 if all passed."""
    try:
        make(FOLDER / "root", "arm64", PACKAGES)
        install(requirements())
    except MissingError as error:
        print(f"tests.arm: {error}", file=sys.stderr)
        return 2
    except CalledProcessError as error:
        print(f"tests.arm: the set-up failed: {error}", file=sys.stderr)
        return 2
    return max([run_tests(cpu, [*tests, *sys.argv[1:]]) for cpu, tests in RUNS.items()])


def requirements() -> list[str]:
    """What the agent needs, and what its tests need, as this environment's haq demands it."""
    lines = requires("haq") or []
    extras = [line.partition(";")[0] for line in lines if "extra ==" in line]
    tools = {text for text in extras if text.startswith(TEST_TOOLS)}
    return [*(line for line in lines if "extra ==" not in line), *sorted(tools)]


def install(wanted: list[str]) -> None:
    """Make the virtual environment inside, unless it has just these packages."""
    stamp, text = FOLDER / "root" / STAMP, "\n".join(wanted)
    if stamp.is_file() and stamp.read_text() == text:
        return
    (FOLDER / "cache").mkdir(exist_ok=True)
    inside = Inside(FOLDER / "root", "arm64", volumes={"/root/.cache/pip": FOLDER / "cache"})
    check_call(inside, ["python3", "-m", "venv", "--clear", VENV])
    check_call(inside, [f"{VENV}/bin/pip", "install", "--quiet", "--only-binary=:all:", *wanted])
    stamp.write_text(text)


def run_tests(cpu: str, arguments: list[str]) -> int:
    """Run pytest on one kind of processor; its exit status."""
    print(f"On an emulated {cpu}:", flush=True)
    inside = Inside(FOLDER / "root", "arm64", test_env(cpu), "/haq", {"/haq": REPOSITORY})
    pytest = ["-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.arm.emulated", "-rs"]
    return call(inside, ["nice", f"{VENV}/bin/python", *pytest, *arguments])


def test_env(cpu: str) -> dict[str, str]:
    """Variables of the tests: the source is read-only, and a thread more is only one that waits."""
    return {
        **{"HOME": "/root", "PYTHONPATH": "/haq", "PYTHONDONTWRITEBYTECODE": "1"},
        **{"HYPOTHESIS_STORAGE_DIRECTORY": "/tmp/hypothesis"},
        **{"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "QEMU_CPU": cpu},
    }


if __name__ == "__main__":
    sys.exit(main())
