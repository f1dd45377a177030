from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from pydantic import SecretStr
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from device_agent.models import files as files_module
from device_agent.models.files import DiskFullError, Files
from device_agent.settings import Settings
from device_agent.web.service import create_app
from device_agent.web.uploads import receive
from tests.device_agent.conftest import KEY, put, register
from tests.device_agent.small_network import everywhere, small_layers

DATA = b"weights" * 100


def stored(settings: Settings) -> list[Path]:
    return list((settings.data_dir / "files").iterdir())


def chunks(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 10):
        yield data[start : start + 10]


def test_a_file_is_kept_under_its_digest(client: TestClient, settings: Settings) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    assert client.head(f"/v1/files/{digest}").status_code == 404
    for _ in range(2):
        assert put(client, DATA) == digest
    assert client.head(f"/v1/files/{digest}").status_code == 200
    answer = client.get(f"/v1/files/{digest}").json()
    assert answer == {"sha256": digest, "size_bytes": len(DATA)}
    (path,) = stored(settings)
    assert path.read_bytes() == DATA


def test_a_flipped_byte_is_refused_and_not_kept(client: TestClient, settings: Settings) -> None:
    digest = hashlib.sha256(DATA).hexdigest()
    answer = client.put(f"/v1/files/{digest}", content=b"W" + DATA[1:])
    assert answer.status_code == 422
    assert "SHA-256" in answer.json()["detail"]
    assert stored(settings) == []


@pytest.mark.parametrize("name", ["x", "0" * 63, "A" * 64, "..%2F" + "0" * 61, "0" * 64 + "%0A"])
def test_names_are_digests(client: TestClient, settings: Settings, name: str) -> None:
    assert client.put(f"/v1/files/{name}", content=DATA).status_code in {404, 422}
    assert stored(settings) == []


@pytest.mark.parametrize("announced", [True, False])
def test_uploads_over_the_limit_are_refused(tmp_path: Path, announced: bool) -> None:
    settings = Settings(key=SecretStr(KEY), data_dir=tmp_path, max_upload_bytes=len(DATA) - 1)
    digest = hashlib.sha256(DATA).hexdigest()
    content = DATA if announced else chunks(DATA)
    headers = {"Authorization": f"Bearer {KEY}"}
    with TestClient(create_app(settings), headers=headers) as client:
        answer = client.put(f"/v1/files/{digest}", content=content)
        assert ("content-length" in answer.request.headers) == announced
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"the body is larger than {len(DATA) - 1} bytes"
    assert stored(settings) == []


@pytest.mark.parametrize("announced", [True, False])
def test_other_bodies_have_a_limit_of_their_own(tmp_path: Path, announced: bool) -> None:
    settings = Settings(key=SecretStr(KEY), data_dir=tmp_path, max_request_bytes=100)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    body = b"[" + b" " * 200 + b"]"
    with TestClient(create_app(settings), headers=headers) as client:
        answer = client.post("/v1/measure", content=body if announced else chunks(body))
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert put(client, DATA)


def test_leftovers_of_a_killed_upload_go_at_the_next_start(settings: Settings) -> None:
    folder = settings.data_dir / "files"
    folder.mkdir()
    (folder / ".partial-abc").write_bytes(b"half")
    with TestClient(create_app(settings)):
        assert stored(settings) == []


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def store_bytes(files: Files, data: bytes) -> str:
    async def body() -> AsyncIterator[bytes]:
        yield data

    asyncio.run(receive(files, digest_of(data), body()))
    return digest_of(data)


@pytest.fixture
def store(tmp_path: Path) -> Files:
    files = Files(tmp_path / "files", max_bytes=300)
    files.prepare()
    return files


def names(files: Files) -> set[str]:
    return {path.name for path in files.folder.iterdir()}


def age(files: Files, *digests: str) -> None:
    """Make files look as if they were used long ago, the first one before the second, ..."""
    for hours, digest in enumerate(reversed(digests), 1):
        os.utime(files.path(digest), (10**9 - 3600 * hours,) * 2)


def test_files_used_longest_ago_make_room(store: Files) -> None:
    a, b, c = (store_bytes(store, letter * 100) for letter in (b"a", b"b", b"c"))
    age(store, a, b, c)
    assert store.has(a)
    d = store_bytes(store, b"d" * 150)
    assert names(store) == {a, d}


def test_room_is_made_only_as_far_as_needed(store: Files) -> None:
    a, b, c = (store_bytes(store, letter * 100) for letter in (b"a", b"b", b"c"))
    age(store, a, b, c)
    d = store_bytes(store, b"d" * 100)
    assert names(store) == {b, c, d}
    assert store_bytes(store, b"d" * 100) == d


def test_files_in_use_stay(store: Files) -> None:
    a, b = store_bytes(store, b"a" * 100), store_bytes(store, b"b" * 100)
    age(store, a, b)
    with store.held(a), store.held(a, b):
        pass
    with store.held(a):
        c = store_bytes(store, b"c" * 200)
        assert names(store) == {a, c}
        with store.held(c), pytest.raises(DiskFullError, match="no room within 300 bytes"):
            store_bytes(store, b"d")
        assert names(store) == {a, c}
    d = store_bytes(store, b"d" * 50)
    assert a not in names(store) and d in names(store)


def test_there_is_an_end_to_small_files_too(store: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "MAX_FILES", 2)
    a, b = store_bytes(store, b"a"), store_bytes(store, b"b")
    age(store, a, b)
    assert names(store) == {a, b}
    c = store_bytes(store, b"c")
    assert names(store) == {b, c}


def test_a_file_larger_than_the_store_is_refused(store: Files) -> None:
    with pytest.raises(DiskFullError):
        store_bytes(store, b"x" * 301)
    assert names(store) == set()


def test_a_store_that_is_full_answers_507_and_keeps_what_it_had(tmp_path: Path) -> None:
    settings = Settings(key=SecretStr(KEY), data_dir=tmp_path, max_store_bytes=len(DATA) - 1)
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        answer = client.put(f"/v1/files/{digest_of(DATA)}", content=DATA)
        assert answer.status_code == 507
        assert answer.json()["type"] == "urn:haq:problem:disk-full"
        assert stored(settings) == []
        assert put(client, b"small")


def test_a_network_whose_files_made_room_is_unknown(tmp_path: Path) -> None:
    settings = Settings(key=SecretStr(KEY), data_dir=tmp_path, max_store_bytes=20_000)
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        network = register(client, small_layers())
        put(client, bytes(19_000))
        request = {"network": network, "policies": [everywhere(32)]}
        answer = client.post("/v1/measure", json=request)
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:haq:problem:unknown-network"
        assert "upload it again" in answer.json()["detail"]
        assert register(client, small_layers()) == network


def test_a_client_that_leaves_keeps_nothing(store: Files) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        asyncio.run(receive(store, digest_of(b"half and more"), body()))
    assert names(store) == set()


def test_a_request_that_is_cut_off_keeps_nothing(store: Files) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        await asyncio.sleep(60)

    async def run() -> None:
        task = asyncio.create_task(receive(store, digest_of(b"half and more"), body()))
        await asyncio.sleep(0.05)
        assert len(names(store)) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert names(store) == set()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_is_full_at_the_end_is_507(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def settle(partial: IO[bytes], path: Path) -> None:
        raise OSError(code, "full")

    with monkeypatch.context() as patch:
        patch.setattr(files_module, "settle", settle)
        answer = client.put(f"/v1/files/{digest_of(DATA)}", content=DATA)
    assert answer.status_code == 507
    assert answer.json()["type"] == "urn:haq:problem:disk-full"
    assert stored(settings) == []
    assert put(client, DATA)


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow over a size: a write fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_while_writing_is_507(client: TestClient, settings: Settings) -> None:
    large = os.urandom(200_000)
    with largest_file(100_000):
        answer = client.put(f"/v1/files/{digest_of(large)}", content=large)
        assert answer.status_code == 507
        assert client.get("/healthz").status_code == 200
        assert put(client, DATA)
    assert [path.name for path in stored(settings)] == [digest_of(DATA)]
    assert put(client, large)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk_that_is_really_full(small_disk: Path) -> None:
    settings = Settings(key=SecretStr(KEY), data_dir=small_disk)
    with TestClient(create_app(settings), headers={"Authorization": f"Bearer {KEY}"}) as client:
        network = register(client, small_layers())
        kept = {path.name for path in stored(settings)}
        large = os.urandom(2**20)
        answer = client.put(f"/v1/files/{digest_of(large)}", content=large)
        assert answer.status_code == 507
        assert answer.json()["type"] == "urn:haq:problem:disk-full"
        assert {path.name for path in stored(settings)} == kept
        assert client.get("/healthz").status_code == 200
        assert register(client, small_layers()) == network


def test_the_folder_is_synced_after_the_file_got_its_name(
    store: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[tuple[str, set[str]]] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), names(store)))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    name = store_bytes(store, b"x")
    (file, before), (folder, after) = synced
    assert Path(file).name in before and name not in before
    assert (folder, after) == (str(store.folder), {name})
