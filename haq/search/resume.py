"""Going on with a run: its folder says what it was asked to do."""

from __future__ import annotations

from pathlib import Path

from haq.search.request import SearchRequest
from haq.store import RunFolder
from haq.store.run_folder import RUN_ID, STORE, read_json
from quant.errors import InputError

CONTENT = (RUN_ID, "board", "digests", STORE)
"""Settings of a run that nobody asked for: its name, what it ran on, where it is kept."""


def read_run(path: Path) -> tuple[SearchRequest, RunFolder]:
    """What a run was asked to do, and its folder.

    Raises InputError where there is no run, only a part of one, or one of another version of haq,
    or where one of its tables is gone or has changed.
    """
    file = path / "run.json"
    if not file.is_file():
        raise InputError(f"{path} is no run folder: give the --out of a search")
    settings = read_json(file)
    if "bound" in settings:
        raise InputError(f"{path} is one bound of a sweep: go on with the folder that holds it")
    try:
        asked = {name: value for name, value in settings.items() if name not in CONTENT}
        request = SearchRequest.from_json(asked)
    except (AttributeError, ValueError):
        raise InputError(
            f"{file} was not written by this version of haq: go on with the one that began the run"
        ) from None
    return request, RunFolder(path, request.model)
