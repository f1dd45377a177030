from __future__ import annotations

import errno
import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from haq.cost import parse_budget, read_energy, read_table
from haq.data import Splits
from haq.prepare import Subject
from haq.progress import Silent
from haq.search.request import SearchRequest
from haq.search.resume import read_run
from haq.search.run import load_subject, search_subject
from haq.store import RunFolder, durable, write_json
from quant.errors import InputError, StorageError
from tests.haq.cost.tables import write_table
from tests.haq.search.test_request import REQUEST
from tests.haq.simulated_board import SimulatedBoard
from tests.haq.subjects import SMALL, cropped, write_images, write_small_weights

Ending = Literal["exit", "full"]
JOURNALS = ("measurements.jsonl", "trials.jsonl")


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
    folder = tmp_path_factory.mktemp("inputs")
    request = replace(
        REQUEST,
        weights=write_small_weights(folder / "weights.safetensors"),
        input_size=SMALL.input_size,
        data=str(write_images(folder / "images", cropped("test", 20))),
        observer="absmax",
        budget=(parse_budget("latency=0.9x"),),
        bits=(8, 32),
        episodes=3,
    )
    return Search(request, *load_subject(request))


@dataclass
class Deaths:
    """Ends a life at its next write that no life before has made, in the middle or behind it."""

    ending: Ending
    append: Callable[[Path, bytes], None]
    replaced: set[str] = field(default_factory=set)
    spared: bool = False
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    def write(self, path: Path, data: bytes) -> None:
        """In the place of `durable.append`; a torn write is made whole in the next life."""
        known = path.name in self.replaced
        if path.suffix == ".partial":
            self.replaced.add(path.name)
        if known or self.spared:
            self.spared &= known
            self.append(path, data)
        else:
            self.end(path, data)

    def end(self, path: Path, data: bytes) -> None:
        if self.ending == "exit" and self.rng.random() < 0.5:
            self.append(path, data)
            raise Exit
        self.spared = path.suffix != ".partial"
        self.append(path, data[: self.rng.randrange(len(data))])
        if self.ending == "exit":
            raise Exit
        with durable.writing(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def content(folder: Path) -> dict[str, bytes]:
    """All files, without the folder's own name and the seconds in the summary."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    summary = json.loads(files["summary.json"].replace(str(folder).encode(), b"RUN"))
    assert summary.pop("seconds") >= 0
    return files | {"summary.json": json.dumps(summary).encode()}


@pytest.mark.parametrize("ending", ["exit", "full"])
def test_a_search_that_ends_at_every_durable_write_comes_to_the_same_end(
    ending: Ending, small_search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each life leaves is what the undisturbed run had at that moment, so any one will do."""
    whole, path, lives = tmp_path / "whole", tmp_path / "run", 0
    small_search.run(whole)
    deaths = Deaths(ending, durable.append)
    monkeypatch.setattr(durable, "append", deaths.write)
    while not (path / "summary.json").is_file():
        try:
            small_search.go_on(path)
        except (Exit, StorageError) as error:
            assert isinstance(error, Exit) or "no space left on the disk for" in str(error)
            lives += 1
        for name in JOURNALS:
            written = (path / name).read_bytes() if (path / name).is_file() else b""
            kept = written[: written.rfind(b"\n") + 1]
            assert (whole / name).read_bytes().startswith(kept)
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
