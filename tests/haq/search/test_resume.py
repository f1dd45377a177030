from __future__ import annotations

import errno
import json
import os
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy.exc import OperationalError

from haq.cost import read_energy, read_table
from haq.data import Splits
from haq.prepare import Subject
from haq.progress import Silent
from haq.search.request import SearchRequest
from haq.search.resume import read_run
from haq.search.run import load_subject, search_subject
from haq.store import RunFolder, durable, write_json
from haq.store.database import Change, Database
from quant.errors import InputError, StorageError
from tests.haq.cost.tables import write_table
from tests.haq.search.runs import small_request
from tests.haq.search.test_request import REQUEST
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.store.stores import found

Ending = Literal["exit", "full"]


class Exit(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Search:
    """A small search on a simulated board, loaded once."""

    request: SearchRequest
    subject: Subject
    splits: Splits

    def run(self, path: Path) -> None:
        board, folder = SimulatedBoard(), RunFolder(path, "mbv2")
        search_subject(self.request, self.subject, self.splits, folder, board, Silent())

    def go_on(self, path: Path) -> None:
        """Run it again, as the folder has it where a run has begun there."""
        if (path / "run.json").is_file():
            request, folder = read_run(path)
            assert (request, folder) == (self.request, RunFolder(path, "mbv2"))
        self.run(path)


@pytest.fixture(scope="module")
def small_search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    # Other agents take long to learn again; they have their own tests.
    request = small_request(tmp_path_factory.mktemp("inputs"), episodes=3, agent="random")
    return Search(request, *load_subject(request))


@dataclass
class Deaths:
    """Ends a life at its next write that no life before has made, in the middle or behind it."""

    ending: Ending
    append_whole: Callable[[Path, bytes], None]
    commit: Callable[..., None]
    replaced: set[str] = field(default_factory=set)
    spared: bool = False
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def append(self, path: Path, data: bytes) -> None:
        """In the place of `durable.append`; a torn file is made whole in the next life."""
        if path.name in self.replaced:
            self.append_whole(path, data)
            return
        self.replaced.add(path.name)
        whole = self.ending == "exit" and self.rng.random() < 0.5
        self.append_whole(path, data if whole else data[: self.rng.randrange(len(data))])
        if self.ending == "exit":
            raise Exit
        with durable.writing(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self, database: Database, *changes: Change) -> None:
        """In the place of `Database.write`; what was not committed is so in the next life."""
        if self.spared:
            self.spared = False
            self.commit(database, *changes)
            return
        if self.ending == "exit" and self.rng.random() < 0.5:
            self.commit(database, *changes)
            raise Exit
        self.spared = True
        if self.ending == "exit":
            raise Exit
        with database._explained():
            raise OperationalError("", {}, sqlite3.OperationalError("database or disk is full"))


def content(folder: Path) -> dict[str, Any]:
    """All files, without the names of folder and run, and the seconds in the summary."""
    paths = [path for path in folder.iterdir() if path.name != "store.sqlite"]
    files: dict[str, Any] = {path.name: path.read_bytes() for path in paths}
    for name, own in (("summary.json", "seconds"), ("run.json", "id")):
        data = json.loads(files[name].replace(str(folder).encode(), b"RUN"))
        del data[own]
        files[name] = data
    return files | {"store": found(folder / "store.sqlite")}


@pytest.mark.parametrize("ending", ["exit", "full"])
def test_a_search_that_ends_at_every_durable_write_comes_to_the_same_end(
    ending: Ending, small_search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each life leaves is what the undisturbed run had at that moment, so any one will do."""
    whole, path, lives = tmp_path / "whole", tmp_path / "run", 0
    small_search.run(whole)
    deaths = Deaths(ending, durable.append, Database.write)
    monkeypatch.setattr(durable, "append", deaths.append)
    monkeypatch.setattr(Database, "write", lambda *given: deaths.write(*given))
    while not (path / "summary.json").is_file():
        try:
            small_search.go_on(path)
        except (Exit, StorageError) as error:
            assert isinstance(error, Exit) or "no space left on the disk for" in str(error)
            lives += 1
    assert lives > 70
    assert content(path) == content(whole)


def begin(path: Path, request: SearchRequest) -> Path:
    path.mkdir()
    write_json(path / "run.json", {**request.to_json(), "board": {}, "digests": {}})
    return path


def test_a_run_is_read_back(tmp_path: Path) -> None:
    path = begin(tmp_path / "run", REQUEST)
    assert read_run(path) == (REQUEST, RunFolder(path, "mbv2"))


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match=f"^{path} is no run folder: give the --out of"):
            read_run(path)


@pytest.mark.parametrize("change", [{"agent": "nobody"}, {"invented": 1}, {"bits": None}])
def test_a_run_of_another_version_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = begin(tmp_path / "run", REQUEST)
    write_json(path / "run.json", {**REQUEST.to_json(), **change})
    with pytest.raises(
        InputError, match=r"run\.json was not written by this version of haq: go on"
    ):
        read_run(path)
    (path / "run.json").write_text("[]")
    with pytest.raises(
        InputError, match=r"run\.json was not written by this version of haq: go on"
    ):
        read_run(path)
    (path / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json is not readable JSON"):
        read_run(path)


def test_tables_that_are_gone_or_changed_are_named(tmp_path: Path) -> None:
    table, energy = write_table(tmp_path / "table.npy", 3), tmp_path / "energy.json"
    energy.write_text('{"mac_pj": {"8x8": 0.3}, "byte_pj": 1}')
    request = replace(REQUEST, table=read_table(table), energy=read_energy(energy))
    path = begin(tmp_path / "run", request)
    assert read_run(path)[0].to_json() == request.to_json()
    energy.write_text('{"mac_pj": {"8x8": 0.4}, "byte_pj": 1}')
    with pytest.raises(InputError, match=r"energy\.json has changed since: restore it"):
        read_run(path)
    table.unlink()
    with pytest.raises(InputError, match=r"no such file: .*table\.npy"):
        read_run(path)
