from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
import stamina
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError, StatementError

from haq.store import open_store
from haq.store.database import PRAGMAS, Database, explain, is_lost, without_password
from haq.store.schema import EVALUATIONS
from quant.errors import InputError, StorageError
from tests.haq.store.stores import entries_at


@pytest.mark.parametrize(
    "url", ["", "runs", "mysql://host/db", "sqlite://", "postgresql://host", "http://x/y?a=1"]
)
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"^a store is given as sqlite:///FILE or postgresql://"):
        Database(url)


def test_a_store_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the folder of the store .* does not exist: make it"):
        Database(f"sqlite:///{tmp_path / 'absent' / 'store.sqlite'}")


def test_a_password_is_not_written_down() -> None:
    assert "secret" not in without_password("postgresql://me:secret@localhost/haq")
    assert without_password(without_password("postgresql://me:secret@localhost/haq")) == (
        "postgresql+psycopg://me@localhost/haq"
    )


def test_a_server_that_does_not_answer_is_named_without_password() -> None:
    with pytest.raises(StorageError, match=r"the store postgresql\S+ cannot be used") as raised:
        Database("postgresql://me:secret@localhost:1/haq")
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_driver_is_one_line(tmp_path: Path) -> None:
    with (
        patch("haq.store.database.create_engine", side_effect=ModuleNotFoundError),
        pytest.raises(InputError, match=r"pip install 'haq\[postgresql\]'"),
    ):
        Database("postgresql://localhost/haq")


def test_an_interrupt_while_a_connection_is_given_back_is_raised_and_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'store.sqlite'}")
    event.listen(database._engine, "reset", Mock(side_effect=KeyboardInterrupt))
    with closing(database), pytest.raises(KeyboardInterrupt):
        database.read(text("SELECT 1"))
    assert not caplog.records


def test_every_commit_is_on_disk_and_readers_do_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("haq.store.database.PRAGMAS", PRAGMAS)
    database = Database(f"sqlite:///{tmp_path / 'store.sqlite'}")
    names = ("journal_mode", "synchronous", "foreign_keys")
    assert [database.read(text(f"PRAGMA {name}"))[0][0] for name in names] == ["wal", 2, 1]


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    database = Database(f"sqlite:///{path}")
    event.listen(database._engine, "checkout", limit_pages)
    row = {"content": "a", "kind": "score", "data": "x" * 2000}
    written = 0
    with pytest.raises(StorageError, match=f"no space left on the disk for {path}: make room"):
        for number in range(1000):
            database.write((EVALUATIONS.insert(), [{**row, "key": str(number)}]))
            written += 1
    assert 0 < written < 100
    assert len(entries_at(path, "a").get("score", [str(n) for n in range(1000)])) == written


def limit_pages(connection: sqlite3.Connection, *_: object) -> None:
    connection.execute("PRAGMA max_page_count = 60")


@pytest.mark.parametrize("damage", [b"no database at all, and long enough for a header" * 50, None])
def test_a_damaged_file_is_named(damage: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with open_store(f"sqlite:///{path}"):
        pass
    content = path.read_bytes()
    path.write_bytes(damage or content[:100] + b"\xff" * (len(content) - 100))
    with pytest.raises(InputError, match=f"{path} is damaged: remove the run folder or restore"):
        Database(f"sqlite:///{path}")


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").mkdir()
    with pytest.raises(StorageError, match=r"store\.sqlite cannot be used: unable to open"):
        Database(f"sqlite:///{tmp_path / 'store.sqlite'}")


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with open_store(f"sqlite:///{path}"):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(InputError, match=r"tables of another version of haq \(9999\): use the"):
        Database(f"sqlite:///{path}")


def test_many_may_open_and_write_at_once(store_url: str) -> None:
    def write(number: int) -> None:
        with open_store(store_url) as store:
            entries = store.evaluations("a")
            for key in range(5):
                entries.put("score", {f"{key}": 1, f"{number}-{key}": number})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    with open_store(store_url) as store:
        keys = [f"{number}-{key}" for number in range(6) for key in range(5)]
        assert len(store.evaluations("a").get("score", [*keys, *"01234"])) == 35


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_lacks_are_not_written(value: float, tmp_path: Path) -> None:
    entries = entries_at(tmp_path / "store.sqlite")
    with pytest.raises(StatementError, match="JSON"):
        entries.put("score", {"one": 1, "key": value})
    assert entries.get("score", ["one", "key"]) == {}


def test_a_lost_connection_is_tried_again(store_url: str) -> None:
    database, failed = Database(store_url), list[bool]()

    def fail_once(*_: object) -> None:
        if not failed:
            failed.append(True)
            raise OperationalError("", {}, Exception("gone"), connection_invalidated=True)

    event.listen(database._engine, "before_cursor_execute", fail_once)
    with stamina.set_testing(True, attempts=2):
        database.write((EVALUATIONS.insert(), [{"content": "", "kind": "", "key": "", "data": 1}]))
    assert failed
    assert len(database.read(EVALUATIONS.select())) == 1
    database.close()


def test_only_connections_are_tried_again() -> None:
    refused = OperationalError("", {}, Exception("no such table: x"))
    assert not is_lost(refused)
    assert not is_lost(ValueError())
    assert str(explain(refused, "here")) == "the store here cannot be used: no such table: x"
