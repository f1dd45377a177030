"""Whether weights can be what they were declared to be."""

from __future__ import annotations

from pathlib import Path

from api.workers.aside import Question, answer, ask
from quant.errors import InputError

MODULE = "api.workers.check"


def check_weights(path: Path, architecture: str, input_size: int, padding: str) -> None:
    """Raise InputError where they cannot be, BusyError where there was no time to look."""
    asked = {"path": str(path), "model": architecture, "size": input_size, "padding": padding}
    try:
        ask(MODULE, asked)
    except InputError as error:
        raise InputError(str(error).replace(str(path), "the file")) from None


def load(question: Question) -> None:
    """Load and trace. Raises ModelError."""
    from haq.prepare import load_network

    given = question["model"], Path(question["path"]), question["size"], question["padding"]
    load_network(*given)


if __name__ == "__main__":
    answer(load)
