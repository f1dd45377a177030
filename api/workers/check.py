"""Whether a file can be the network, or the weights, that it was declared to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api.workers.aside import TIMEOUT_S, Question, answer, ask
from device_agent.processes.confinement import Confinement
from haq.names import MODEL_FILES
from quant.errors import InputError, ModelError

MODULE = "api.workers.check"
LIMITS = Confinement(memory_bytes=2**35, file_bytes=2**20, cpu_s=int(TIMEOUT_S))
"""Of the process that looks: torch alone takes several GiB of addresses."""


def check_weights(
    path: Path, architecture: str, input_size: int | None, padding: str | None
) -> dict[str, Any]:
    """Its `input_size` and `padding`, as declared or as usual.

    Raises InputError where it cannot be what it was declared to be, BusyError where there was no
    time to look.
    """
    asked = {"path": str(path), "model": architecture, "size": input_size, "padding": padding}
    try:
        found: dict[str, Any] = ask(MODULE, asked)
    except InputError as error:
        raise InputError(str(error).replace(str(path), "the file")) from None
    return found


def load(question: Question) -> dict[str, Any]:
    """Load and trace. Raises ModelError."""
    from haq.prepare import load_network

    LIMITS.apply()
    path, architecture = Path(question["path"]), question["model"]
    if architecture in MODEL_FILES:
        refuse_parts(path)
        named: tuple[str, Path | None] = str(path), None
    else:
        named = architecture, path
    config, _ = load_network(*named, question["size"], question["padding"])
    return {"input_size": config.input_size, "padding": config.padding}


def refuse_parts(path: Path) -> None:
    """Raise ModelError for an ONNX file whose weights lie in others, which were not uploaded."""
    from quant.trace.onnx_file import holds_its_weights

    if path.suffix == ".onnx" and not holds_its_weights(path):
        raise ModelError("the weights of this ONNX file are not in it: export it as one file")


if __name__ == "__main__":
    answer(load)
