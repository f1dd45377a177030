"""What a search on a server leaves, fetched into a folder here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haq.client import Artifact, Client
from haq.digest import sha256_of
from haq.progress import Progress
from haq.store.durable import partial_of
from haq.store.run_folder import make_folder, read_json
from quant.errors import InputError


def check_new(folder: Path) -> None:
    """Raise InputError where a folder holds something already."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} holds something already: name another --out")


def fetch(client: Client, search_id: str, folder: Path, progress: Progress) -> None:
    """Fetch every file that is not here yet. Raises InputError, ServerError, StorageError."""
    artifacts = client.artifacts(search_id)
    check_own(folder, artifacts)
    make_folder(folder)
    progress.start("fetching the result", len(artifacts))
    for artifact in artifacts:
        if not (folder / artifact.name).exists():
            client.download(search_id, artifact.name, folder)
        progress.advance(artifact.name)


def check_own(folder: Path, artifacts: Sequence[Artifact]) -> None:
    """Raise InputError where a folder holds anything else than files of this search."""
    digests = {artifact.name: artifact.sha256 for artifact in artifacts}
    partial = {partial_of(folder / name).name for name in digests}
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.name not in partial and not is_file_of(digests.get(file.name), file):
            raise InputError(f"{folder} holds {file.name} of something else: name another --out")


def is_file_of(sha256: str | None, file: Path) -> bool:
    """Whether a file has a digest."""
    return sha256 is not None and file.is_file() and sha256_of(file) == sha256


def summary_in(folder: Path) -> dict[str, Any]:
    """The result, with the paths that its files have here. Raises InputError."""
    summary: dict[str, Any] = read_json(folder / "summary.json")
    there, exports = f"{summary['run']}/", summary["exports"]
    here = {
        name: str(folder / value.removeprefix(there))
        for name, value in exports.items()
        if isinstance(value, str) and value.startswith(there)
    }
    return {**summary, "run": str(folder), "exports": {**exports, **here}}
