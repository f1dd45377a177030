"""The folder of one run: where each file lies, and whether it may be continued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from haq.store.durable import partial_of, replace, room, sync_folder
from haq.store.lock import LOCK, sole_use
from quant.errors import InputError

RUN_ID = "id"
STORE = "store"


def bound_folder(bound: str) -> str:
    """What the folder of one bound is called in that of its sweep: size-0.3x for size=0.3x."""
    return bound.replace("=", "-")


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run's files."""

    path: Path
    model: str
    name: str | None = None
    """What a run that begins here is called in its store; a new name by default."""

    @property
    def stem(self) -> str:
        """The model's name in those of files: `make` of nets.own:make, `net` of nets/net.onnx."""
        return Path(self.model.rpartition(":")[2]).stem

    @property
    def settings(self) -> Path:
        """What the run was asked to do."""
        return self.path / "run.json"

    @property
    def policy(self) -> Path:
        """The best policy."""
        return self.path / "policy.json"

    @property
    def trials(self) -> Path:
        """One line a trial."""
        return self.path / "trials.jsonl"

    @property
    def store(self) -> Path:
        """Scores, measurements, trials and checkpoints, by which a run that was stopped goes on."""
        return self.path / "store.sqlite"

    @property
    def store_url(self) -> str:
        """The address of the store where no other one is named."""
        return f"sqlite:///{self.store.absolute()}"

    @property
    def profile(self) -> Path:
        """Latency table of the board."""
        return self.path / "profile.json"

    @property
    def harm(self) -> Path:
        """How much every layer suffers alone."""
        return self.path / "harm.json"

    @property
    def summary(self) -> Path:
        """The result, as printed by --json."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    @property
    def ncnn_param(self) -> Path:
        """ncnn network, text."""
        return self.path / f"{self.stem}.ncnn.param"

    @property
    def ncnn_bin(self) -> Path:
        """ncnn network, weights."""
        return self.path / f"{self.stem}.ncnn.bin"

    @property
    def metadata(self) -> Path:
        """How to feed and run the ncnn network."""
        return self.path / "metadata.yaml"

    @property
    def onnx(self) -> Path:
        """ONNX network."""
        return self.path / f"{self.stem}.onnx"

    @property
    def packed(self) -> Path:
        """Shared weights, packed at their bits."""
        return self.path / f"{self.stem}.shared.safetensors"

    @property
    def run_id(self) -> str:
        """The name of the run in its store. Raises InputError where none has begun here."""
        return str(read_json(self.settings)[RUN_ID])

    @property
    def kept_in(self) -> str | None:
        """The address of its store, None for the file here. Raises InputError as `run_id` does."""
        address = read_json(self.settings).get(STORE)
        return None if address is None else str(address)

    def keep_in(self, address: str | None) -> None:
        """Note where its store is now. Raises InputError, StorageError."""
        if address != self.kept_in:
            write_json(self.settings, {**read_json(self.settings), STORE: address})

    @contextmanager
    def open(self, settings: Mapping[str, Any]) -> Iterator[Path | None]:
        """Make the folder, or continue one with equal settings; no other process may meanwhile.

        Gives the topmost folder that had to be made, for `discard` where the run comes to
        nothing, and None for a run that is continued. Raises InputError where the folder holds
        something else or is in use, StorageError where it cannot be written.
        """
        self._check_own()
        made = topmost_missing(self.path)
        make_folder(self.path)
        with sole_use(self.path):
            yield None if self._continues(settings) else made

    def _check_own(self) -> None:
        """Raise InputError where something lies here that is no run, not even one just begun."""
        begun = {LOCK, partial_of(self.settings).name}
        if self.settings.is_file() or not self.path.exists():
            return
        if not self.path.is_dir() or any(file.name not in begun for file in self.path.iterdir()):
            raise InputError(f"{self.path} exists and is no run folder: name another --out")

    def _continues(self, settings: Mapping[str, Any]) -> bool:
        """Whether a run with these settings is here; else it begins. Raises InputError."""
        if not self.settings.is_file():
            write_json(self.settings, {RUN_ID: self.name or uuid4().hex, **settings})
            return False
        begun, now = read_json(self.settings), json.loads(json.dumps(settings))
        differing = names_of_differing(decisive(begun), decisive(now))
        if differing:
            raise InputError(
                f"{self.path} holds a run with other settings, weights or images "
                f"({', '.join(differing)}): restore them, or name another --out"
            )
        return True


def decisive(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the result of a run: neither its name nor where it is kept."""
    return {name: value for name, value in settings.items() if name not in (RUN_ID, STORE)}


def names_of_differing(one: Any, other: Any, name: str = "settings") -> list[str]:
    """Names of values that differ, by their innermost keys."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    pairs = {key: (one.get(key), other.get(key)) for key in {**one, **other}}
    return [found for key, pair in pairs.items() for found in names_of_differing(*pair, key)]


def topmost_missing(path: Path) -> Path:
    """The highest folder on the way to `path` that does not exist; `path` itself if all do."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    return missing[-1] if missing else path


def discard(folder: Path, topmost: Path) -> None:
    """Remove a run's folder, and those above it up to `topmost` unless they hold something else."""
    shutil.rmtree(folder)
    for parent in folder.parents:
        if not parent.is_relative_to(topmost) or any(parent.iterdir()):
            break
        parent.rmdir()


def make_folder(path: Path) -> None:
    """Make a folder and those above it. Raises InputError or StorageError if it cannot be made."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        with room(path):
            path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {path} cannot be made: {error.strerror}") from None
    for folder in missing:
        sync_folder(folder.parent)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Replace a file by JSON text, whole or not at all. Raises StorageError."""
    write_bytes(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file, whole or not at all. Raises StorageError."""
    replace(path, data)


def read_json(path: Path) -> Any:
    """Parsed JSON. Raises InputError for a file that is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON: {error}") from None


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises InputError where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from None
