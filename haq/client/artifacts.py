"""The networks, the report and everything else that a search leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from haq.client._base import Part, path_of
from haq.client.answers import Artifact, read_artifacts
from haq.client.download import download
from haq.store.run_folder import make_folder
from quant.errors import InputError

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


class Artifacts(Part):
    """The client's methods about them."""

    def artifacts(self, search_id: str) -> Sequence[Artifact]:
        """Those there are by now, with their digests."""
        return self._connection.get(path_of("searches", search_id, "artifacts"), read_artifacts)

    def download(self, search_id: str, name: str, folder: Path) -> Path:
        """Fetch one into a folder, whole or not at all, and return where it lies.

        Raises ServerError, StorageError, and InputError for what is no name of a file.
        """
        if not re.fullmatch(NAME, name):
            raise InputError("an artifact's name has letters, digits, dots, dashes, underscores")
        make_folder(folder)
        target = folder / name
        download(self._connection, path_of("searches", search_id, "artifacts", name), target)
        return target
