"""The files of a search that may be fetched: those of this list, whatever else its folder holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from api.errors import UnknownError
from haq.store import RunFolder

MEDIA_TYPES: Mapping[str, str] = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".html": "text/html; charset=utf-8",
    ".yaml": "application/yaml",
    ".param": "text/plain; charset=utf-8",
}


def artifacts_of(folder: RunFolder) -> dict[str, Path]:
    """Those that are there, by name."""
    files = (
        *(folder.report, folder.summary, folder.policy, folder.trials, folder.profile, folder.harm),
        *(folder.ncnn_param, folder.ncnn_bin, folder.metadata, folder.onnx, folder.packed),
    )
    return {file.name: file for file in files if file.is_file()}


def find_artifact(folder: RunFolder, name: str) -> Path:
    """The file of a name. Raises UnknownError."""
    found = artifacts_of(folder)
    if name not in found:
        raise UnknownError(
            f"there is no artifact {name}, the search has: {', '.join(found) or '-'}"
        )
    return found[name]


def media_type(path: Path) -> str:
    """How a browser is to take it."""
    return MEDIA_TYPES.get(path.suffix, "application/octet-stream")
