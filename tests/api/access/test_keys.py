from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from api.access.keys import Key, Keys, digest_of
from api.errors import ConflictError, UnknownError
from api.store.schema import KEYS
from haq.store.database import Database
from quant.errors import InputError
from tests.api.databases import database_at


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with database_at(store_url) as found:
        yield found


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database, None)


def test_a_key_opens_and_its_secret_is_kept_nowhere(keys: Keys, database: Database) -> None:
    secret = keys.add("anna", "run", per_minute=5, max_searches=2)
    found = keys.find(secret.encode())
    assert found is not None
    assert (found.name, found.role, found.per_minute, found.max_searches) == ("anna", "run", 5, 2)
    (row,) = database.read(select(KEYS))
    assert row.digest == digest_of(secret.encode())
    assert secret not in str(tuple(row))
    assert len(secret) > 40


def test_other_secrets_open_nothing(keys: Keys) -> None:
    secret = keys.add("anna", "admin")
    digest = digest_of(secret.encode())
    for wrong in ("", " ", secret[:-1], f"{secret} ", secret.upper(), digest, "anna", "\0"):
        assert keys.find(wrong.encode()) is None


def test_a_revoked_key_opens_nothing_and_its_name_is_used_up(keys: Keys) -> None:
    secret = keys.add("anna", "admin")
    keys.revoke("anna")
    assert keys.find(secret.encode()) is None
    assert keys.named("anna") is None
    assert list(keys.in_force()) == []
    with pytest.raises(UnknownError):
        keys.revoke("anna")
    with pytest.raises(ConflictError):
        keys.add("anna", "read")


def test_the_end_of_the_last_key_opens_nothing(keys: Keys) -> None:
    assert not keys.are_required
    keys.add("anna", "admin")
    keys.revoke("anna")
    assert keys.are_required


def test_a_name_is_one_keys(keys: Keys) -> None:
    first = keys.add("anna", "read")
    with pytest.raises(ConflictError):
        keys.add("anna", "admin")
    found = keys.find(first.encode())
    assert found is not None and found.role == "read"


@pytest.mark.parametrize(
    "name", ["", "operator", "local", "a b", "-a", "a" * 65, "ä", "a\n", "a:b"]
)
def test_names_that_no_key_has(keys: Keys, name: str) -> None:
    with pytest.raises(InputError):
        keys.add(name, "read")


def test_keys_are_listed_by_name(keys: Keys) -> None:
    for name in ("ben", "anna", "Carl"):
        keys.add(name, "read")
    assert sorted(key.name for key in keys.in_force()) == ["Carl", "anna", "ben"]


def test_the_key_of_the_settings(database: Database) -> None:
    keys = Keys(database, SecretStr("häq"))
    assert keys.are_required
    assert keys.find("häq".encode()) == keys.named("operator") == Key("operator", "admin")
    assert keys.find(b"haq") is None
    assert Keys(database, None).named("operator") is None


def test_an_empty_key_of_the_settings_is_none_that_anybody_shows(database: Database) -> None:
    """Whoever sends no header has an empty key, too."""
    assert Keys(database, SecretStr("")).find(b"") is None
