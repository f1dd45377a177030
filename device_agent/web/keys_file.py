"""The file of keys: `name sha256-of-key` a line; blank lines and # comments do not count."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from quant.errors import InputError

DEFAULT_NAME = "default"
"""The name of the key that the settings hold."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of(key: bytes) -> str:
    """SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key).hexdigest()


def read_keys(path: Path) -> Mapping[str, str]:
    """Digests by name. Raises InputError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no keys file {path}: `haq-agent key NAME` makes it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the keys file {path} cannot be read: {error}") from None
    return parse_keys(text, path)


def parse_keys(text: str, path: Path) -> dict[str, str]:
    """Digests by name. Raises InputError with file and line."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not is_entry(line):
            continue
        name, digest = parse_line(line, f"{path}, line {number}")
        if name in found:
            raise InputError(f"{path}, line {number}: the name {name} is already taken")
        found[name] = digest
    return found


def is_entry(line: str) -> bool:
    """Whether a line is neither blank nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def parse_line(line: str, place: str) -> tuple[str, str]:
    """Name and digest. Raises InputError that does not repeat the line: it may hold a key."""
    name, *rest = line.split()
    if len(rest) != 1 or not DIGEST.fullmatch(rest[0]):
        raise InputError(f"{place}: expected a name and a SHA-256 of 64 lower-case hex digits")
    check_name(name, place)
    return name, rest[0]


def check_name(name: str, place: str) -> None:
    """Raise InputError unless a key may have the name."""
    if not NAME.fullmatch(name):
        raise InputError(f"{place}: a name has up to 64 letters, digits, dots, dashes, underscores")
    if name == DEFAULT_NAME:
        raise InputError(f"{place}: the name {DEFAULT_NAME} belongs to HAQ_AGENT_KEY")


def add_key(path: Path, name: str) -> str:
    """Make a random key, add its line to the file, and return the key.

    Raises InputError where the name is taken or the file is malformed.
    """
    check_name(name, f"key {name!r}")
    with opened(path) as file:
        text = file.read()
        if name in parse_keys(text, path):
            raise InputError(f"there is a key {name} already in {path}: revoke it first")
        key = secrets.token_urlsafe(32)
        gap = "" if text.endswith("\n") or not text else "\n"
        file.write(f"{gap}{name} {digest_of(key.encode())}\n")
    return key


def revoke_key(path: Path, name: str) -> None:
    """Take a key's line out of the file. Raises InputError where there is none."""
    if not path.exists():
        raise InputError(f"there is no keys file {path}")
    with opened(path) as file:
        text = file.read()
        if name not in parse_keys(text, path):
            raise InputError(f"there is no key {name} in {path}")
        lines = text.split("\n")
        kept = [line for line in lines if not is_entry(line) or line.split()[0] != name]
        file.seek(0)
        file.write("\n".join(kept))
        file.truncate()


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The keys file, made where it is missing, for one writer at a time; on the disk at the end.

    It is changed in place: a new file would belong to whoever runs the command, and the agent might
    not be allowed to read it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(f"the keys file {path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
        file.flush()
        os.fsync(file.fileno())
