"""A POST that is sent again with the same key is answered as the first time, and done once."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update

from api.errors import UnderwayError
from api.store.schema import ANSWERS
from haq.store.database import Database
from quant.errors import InputError

HEADER = "Idempotency-Key"
STALE_S = 120.0
"""A request of which nothing was heard for so long is taken to have died with its server."""
KEPT_S = 7 * 24 * 3600.0
AT = ANSWERS.columns


@dataclass(frozen=True)
class Answer:
    """What was answered; `location` is where to find what was made."""

    status: int
    body: Any
    location: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Those that belong to the answer."""
        return {} if self.location is None else {"Location": self.location}


class Answers:
    """Remembers answers by key and idempotency key."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, key_name: str, given: str, fingerprint: str) -> Answer | None:
        """The earlier answer, or None: then this request is the one to be carried out.

        Raises InputError where the idempotency key was another request's, UnderwayError where that
        one is still on its way.
        """
        self._forget_old()
        row = {"key_name": key_name, "idempotency_key": given, "fingerprint": fingerprint}
        inserted = self._database.insertion(ANSWERS)
        mine = time.time()
        self._database.write((inserted, [{**row, "at": mine}]))
        rows = self._database.read(select(ANSWERS).where(*self._is(key_name, given)))
        if not rows:  # the other one has come to nothing at this moment
            return self.begin(key_name, given, fingerprint)
        found = rows[0]
        if found.fingerprint != fingerprint:
            raise InputError(f"the {HEADER} was that of another request: make a new one")
        if found.status is not None:
            return Answer(found.status, found.body, found.location)
        if found.at != mine and not self._take_over(key_name, given, found.at):
            raise UnderwayError("the same request is on its way: ask again in a moment")
        return None

    def finish(self, key_name: str, given: str, answer: Answer) -> None:
        """Remember an answer."""
        self._database.change(
            update(ANSWERS)
            .where(*self._is(key_name, given))
            .values(status=answer.status, body=answer.body, location=answer.location)
            .returning(AT.key_name)
        )

    def forget(self, key_name: str, given: str) -> None:
        """It came to nothing: the same may be tried again."""
        self._database.write((delete(ANSWERS).where(*self._is(key_name, given)), []))

    def _take_over(self, key_name: str, given: str, since: float) -> bool:
        if time.time() - since < STALE_S:
            return False
        rows = self._database.change(
            update(ANSWERS)
            .where(*self._is(key_name, given), AT.at == since)
            .values(at=time.time())
            .returning(AT.at)
        )
        return bool(rows)

    def _forget_old(self) -> None:
        self._database.write((delete(ANSWERS).where(AT.at < time.time() - KEPT_S), []))

    def _is(self, key_name: str, given: str) -> tuple[Any, Any]:
        return AT.key_name == key_name, AT.idempotency_key == given


def fingerprint(method: str, target: str, body: bytes) -> str:
    """What makes two requests the same."""
    return hashlib.sha256(b"\0".join([method.encode(), target.encode(), body])).hexdigest()


def id_from(key_name: str, given: str) -> str:
    """The id of what a request makes: the same again if its server dies before it answers."""
    return hashlib.sha256(f"{key_name}\0{given}".encode()).hexdigest()[:32]
