"""Folders of images, registered by name: below the operator's roots and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from api.errors import ConflictError, ForbiddenError, UnknownError
from api.schema import Dataset
from api.store.schema import DATASETS
from haq.data.sources import parse_source
from haq.names import DATA_AT_HAND
from haq.store.database import Database
from quant.errors import InputError


class Datasets:
    """Registers and finds them."""

    def __init__(self, database: Database, roots: Sequence[Path]) -> None:
        self._database, self._roots = database, [root.resolve() for root in roots]

    def add(self, name: str, path: str, created_by: str) -> Dataset:
        """Register a folder; the same once more changes nothing.

        Raises ForbiddenError outside of the roots, InputError where there is no folder,
        ConflictError where the name is another one's.
        """
        if name in DATA_AT_HAND:
            raise ConflictError(f"the name {name} belongs to images of haq's own")
        folder = str(self.check(Path(path)))
        row = {"name": name, "path": folder, "created_by": created_by, "created_at": time.time()}
        self._database.write((self._database.insertion(DATASETS), [row]))
        found = self.get(name)
        if found.path != folder:
            raise ConflictError(f"the data set {name} is another folder: take another name")
        return found

    def check(self, path: Path) -> Path:
        """The folder with all links followed. Raises ForbiddenError, InputError."""
        try:
            found = path.resolve()
            allowed = path.is_absolute() and any(found.is_relative_to(r) for r in self._roots)
            is_folder = allowed and found.is_dir()
        except (OSError, ValueError, RuntimeError):
            allowed = is_folder = False
        if not allowed:
            raise ForbiddenError(
                "the folder is not below one that the operator allows (HAQ_SERVICE_DATA_ROOTS)"
            )
        if not is_folder:
            raise InputError("there is no such folder of images")
        if ":" in str(found):
            raise InputError("a folder of images has no colon in its path: rows follow behind one")
        return found

    def get(self, name: str) -> Dataset:
        """Raises UnknownError."""
        rows = self._database.read(select(DATASETS).where(DATASETS.columns.name == name))
        if not rows:
            raise UnknownError(
                f"no data set is called {name}: register it, or take {' or '.join(DATA_AT_HAND)}"
            )
        return Dataset.model_validate(dict(rows[0]._mapping))

    def all(self) -> list[Dataset]:
        """By name."""
        rows = self._database.read(select(DATASETS).order_by(DATASETS.columns.name))
        return [Dataset.model_validate(dict(row._mapping)) for row in rows]

    def source(self, text: str) -> str:
        """`NAME[:FIRST-LAST]` as `haq search` takes it, its folder checked anew.

        Raises UnknownError, ForbiddenError, InputError.
        """
        name, *_ = parse_source(text)
        if name in DATA_AT_HAND:
            return text
        return f"{self.check(Path(self.get(name).path))}{text.removeprefix(name)}"
