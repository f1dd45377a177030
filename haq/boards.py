"""The operator's list of boards: names, and the only address that each name may lead to.

Boards stand on private networks, where an address cannot be judged by its numbers. So the operator
allows each one: its address is looked up once, shown, and kept. Keys are not in the list, only the
environment variable or the file that holds each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from haq.board import Board, check_url
from haq.board._base import Tell, silent
from haq.board.address import check_address
from quant.errors import InputError

NAME = r"[a-z0-9-]{1,40}"
Name = Annotated[str, Field(pattern=f"^{NAME}$")]


class ListedBoard(BaseModel):
    """A board of the list; `address` is the IP address that it had when it was added."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(check_url)]
    address: Annotated[str, AfterValidator(check_address)]
    key_env: str | None = None
    key_file: Path | None = None
    ca: Path | None = None

    def key(self, default: str | None = None) -> str | None:
        """The board's key; `default` where the list does not say. Raises InputError."""
        if self.key_env is not None:
            return read_variable(self.key_env)
        return default if self.key_file is None else read_key(self.key_file)

    def open(self, default_key: str | None = None, tell: Tell = silent) -> Board:
        """A client that connects to nothing but the kept address. Raises InputError."""
        key = self.key(default_key)
        return Board(self.url, key, ca=self.ca, address=self.address, tell=tell)


Boards = dict[Name, ListedBoard]
BOARDS = TypeAdapter(Boards)


def list_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the list is: $HAQ_BOARDS, or haq/boards.json in the user's configuration."""
    if environ.get("HAQ_BOARDS"):
        return Path(environ["HAQ_BOARDS"])
    home = environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "haq" / "boards.json"


def load(file: Path) -> Boards:
    """The boards by name; none where there is no list. Raises InputError for a broken one."""
    try:
        return BOARDS.validate_json(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"the list of boards {file} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"])) or "the file"
        raise InputError(f"{file} is no list of boards: {place}: {fault['msg']}") from None


def save(file: Path, boards: Boards) -> None:
    """Replace the list, whole or not at all, readable by its owner only. Raises InputError."""
    data = BOARDS.dump_json(boards, indent=2, exclude_none=True) + b"\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(file, data)
    except OSError as error:
        raise InputError(f"the list of boards {file} cannot be written: {error}") from None


def replace(file: Path, data: bytes) -> None:
    """Write beside the file, then put it in its place."""
    descriptor, partial = mkstemp(dir=file.parent, prefix=f"{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(partial).replace(file)
    finally:
        with suppress(FileNotFoundError):
            Path(partial).unlink()


def find(boards: Boards, name: str) -> ListedBoard:
    """The board of a name. Raises InputError."""
    if name not in boards:
        known = f"the list has {', '.join(sorted(boards))}" if boards else "the list is empty"
        raise InputError(f"no board is called '{name}': {known}; add one by `haq boards add`")
    return boards[name]


def read_variable(name: str) -> str:
    """A key from the environment. Raises InputError."""
    if not os.environ.get(name):
        raise InputError(f"the key is expected in the environment variable {name}, which is empty")
    return os.environ[name]


def read_key(file: Path) -> str:
    """A key from a file, without the end of its line. Raises InputError."""
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise InputError(f"the key cannot be read from {file}: {error}") from None
    if not key:
        raise InputError(f"the key is expected in {file}, which is empty")
    return key
