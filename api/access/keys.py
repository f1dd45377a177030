"""The keys of the service: random, stored as SHA-256, each with a role."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Row, func, select, update

from api.access.roles import Role
from api.errors import ConflictError, UnknownError
from api.store.schema import KEYS
from haq.store.database import Database
from quant.errors import InputError

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
RESERVED = frozenset({"operator", "local"})
"""Names of the key in the settings, and of this machine where there is no key at all."""
AT = KEYS.columns


@dataclass(frozen=True)
class Key:
    """Who asks; None stands for the service's own limits."""

    name: str
    role: Role
    per_minute: int | None = None
    max_searches: int | None = None
    created_at: float = 0.0


LOCAL = Key("local", "admin")
"""Anybody on this machine, where no key is set."""


class Keys:
    """Those of the database, and one of the settings."""

    def __init__(self, database: Database, admin_key: SecretStr | None) -> None:
        self._database = database
        own = None if admin_key is None else admin_key.get_secret_value().encode()
        self._own = None if own is None else digest_of(own)

    @property
    def are_required(self) -> bool:
        """Whether there is any key, revoked ones included: the last one's end opens nothing."""
        if self._own is not None:
            return True
        (row,) = self._database.read(select(func.count()).select_from(KEYS))
        return int(row[0]) > 0

    def find(self, presented: bytes) -> Key | None:
        """The key of a secret; None where there is none. It is looked up by its digest.

        The empty one is nobody's, even if the settings have it.
        """
        if not presented:
            return None
        digest = digest_of(presented)
        if self._own is not None and secrets.compare_digest(digest, self._own):
            return Key("operator", "admin")
        return self._read(AT.digest == digest)

    def named(self, name: str) -> Key | None:
        """The key of a name, for who has shown its secret before; None where it is revoked."""
        if name == "operator":
            return Key(name, "admin") if self._own is not None else None
        return self._read(AT.name == name)

    def in_force(self) -> Sequence[Key]:
        """By name."""
        found = select(KEYS).where(AT.revoked_at.is_(None)).order_by(AT.name)
        return [to_key(row) for row in self._database.read(found)]

    def add(
        self,
        name: str,
        role: Role,
        per_minute: int | None = None,
        max_searches: int | None = None,
    ) -> str:
        """Make a random key and return it, this once. Raises InputError, ConflictError."""
        if not re.fullmatch(NAME, name) or name in RESERVED:
            raise InputError(
                f"a key's name has up to 64 letters, digits, dots, dashes and underscores, and is "
                f"not {' or '.join(sorted(RESERVED))}"
            )
        secret = f"haq_{secrets.token_urlsafe(32)}"
        row = {
            "name": name,
            "digest": digest_of(secret.encode()),
            "role": role,
            "per_minute": per_minute,
            "max_searches": max_searches,
            "created_at": time.time(),
        }
        self._database.write((self._database.insertion(KEYS), [row]))
        if self.find(secret.encode()) is None:
            raise ConflictError(f"there is or was a key {name}: take another name")
        return secret

    def revoke(self, name: str) -> None:
        """It opens nothing any more. Raises UnknownError."""
        rows = self._database.change(
            update(KEYS)
            .where(AT.name == name, AT.revoked_at.is_(None))
            .values(revoked_at=time.time())
            .returning(AT.name)
        )
        if not rows:
            raise UnknownError(f"there is no key {name}")

    def _read(self, condition: Any) -> Key | None:
        rows = self._database.read(select(KEYS).where(condition, AT.revoked_at.is_(None)))
        return to_key(rows[0]) if rows else None


def to_key(row: Row[Any]) -> Key:
    """A key of its row."""
    return Key(row.name, row.role, row.per_minute, row.max_searches, row.created_at)


def digest_of(secret: bytes) -> str:
    """SHA-256 in hexadecimal; a key has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(secret).hexdigest()
