from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.errors import ConflictError, UnknownError
from api.files.models import ABANDONED_S, Models
from haq.names import NETWORKS
from haq.store.database import Database
from quant.errors import InputError, ModelError
from tests.api.databases import database_at

DATA = [b"one ", b"two"]
DIGEST = hashlib.sha256(b"one two").hexdigest()
DECLARED: dict[str, Any] = {
    "name": "faces", "architecture": "mbv2", "input_size": 32, "padding": "torch"
}  # fmt: skip


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with database_at(store_url) as found:
        yield found


@pytest.fixture
def models(database: Database, tmp_path: Path) -> Models:
    return Models(database, tmp_path / "models")


async def body(breaks: bool = False) -> AsyncIterator[bytes]:
    for chunk in DATA:
        yield chunk
    if breaks:
        raise ConnectionResetError


def accept(path: Path) -> None:
    assert path.read_bytes() == b"".join(DATA)
    assert path.suffix in (".safetensors", ".onnx")


def refuse(path: Path) -> None:
    raise ModelError("no weights")


def receive(
    models: Models, expected: str | None = None, check: Any = accept, architecture: str = "mbv2"
) -> Path:
    path, found = asyncio.run(models.receive(body(), architecture, expected, check))
    assert found is None
    return path


def kept(tmp_path: Path) -> list[str]:
    folder = tmp_path / "models"
    return [file.name for file in folder.iterdir()] if folder.exists() else []


@pytest.mark.parametrize("expected", [None, DIGEST])
def test_a_body_is_kept_by_its_digest(models: Models, tmp_path: Path, expected: str | None) -> None:
    for _ in range(2):
        path = receive(models, expected)
        assert path.read_bytes() == b"".join(DATA)
        assert kept(tmp_path) == [f"{DIGEST}.safetensors"]


def test_a_file_has_the_ending_of_its_kind(models: Models, tmp_path: Path) -> None:
    """The readers go by it; the same bytes may be weights, too."""
    onnx = receive(models, architecture="onnx")
    assert onnx == models.path(DIGEST, "onnx") != receive(models)
    assert sorted(kept(tmp_path)) == [f"{DIGEST}.onnx", f"{DIGEST}.safetensors"]
    assert models.add({**DECLARED, "architecture": "onnx"}, onnx, "anna").architecture == "onnx"


def test_the_names_of_networks_are_those_that_haq_builds() -> None:
    from haq.zoo.registry import ARCHITECTURES

    assert tuple(ARCHITECTURES) == NETWORKS


def test_another_body_than_was_announced_is_not_kept(models: Models, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=DIGEST):
        receive(models, "0" * 64)
    assert kept(tmp_path) == []


def test_what_is_no_model_is_not_kept(models: Models, tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        receive(models, check=refuse)
    assert kept(tmp_path) == []


def test_a_model_survives_that_its_file_is_refused_as_another_one(
    models: Models, tmp_path: Path
) -> None:
    receive(models)
    with pytest.raises(ModelError):
        receive(models, check=refuse)
    assert kept(tmp_path) == [f"{DIGEST}.safetensors"]


def test_a_body_that_breaks_off_is_not_kept(models: Models, tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        asyncio.run(models.receive(body(breaks=True), "mbv2", None, accept))
    assert kept(tmp_path) == []


def test_what_a_killed_server_left_is_removed_when_nobody_adds_to_it(
    models: Models, database: Database, tmp_path: Path
) -> None:
    folder = receive(models).parent
    old, new = folder / "1.partial.safetensors", folder / "2.partial.safetensors"
    for file in (old, new):
        file.write_bytes(b"half")
    before = old.stat().st_mtime - ABANDONED_S - 1
    for file in (old, models.path(DIGEST, "mbv2")):
        os.utime(file, (before, before))
    Models(database, folder)
    assert sorted(kept(tmp_path)) == sorted([new.name, f"{DIGEST}.safetensors"])


def test_a_name_is_one_models(models: Models) -> None:
    path = receive(models)
    made = models.add(DECLARED, path, "anna")
    assert models.add(DECLARED, path, "ben") == made == models.get("faces")
    assert models.all() == [made]
    with pytest.raises(ConflictError):
        models.add({**DECLARED, "input_size": 64}, path, "anna")
    with pytest.raises(ConflictError, match="haq's own"):
        models.add({**DECLARED, "name": "resnet18"}, path, "anna")


def test_one_file_may_be_several_models(models: Models) -> None:
    path = receive(models)
    other: list[dict[str, Any]] = [{}, {"input_size": 64}, {"padding": "same"}]
    for number, changes in enumerate(other):
        assert models.add({**DECLARED, **changes, "name": f"m{number}"}, path, "anna")
    assert len(models.all()) == 3


def test_a_file_may_have_any_size(models: Models, tmp_path: Path) -> None:
    """More than fits 32 bits."""
    path = models.path(DIGEST, "mbv2")
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as stream:
        stream.truncate(2**32)
    assert models.add(DECLARED, path, "anna").size_bytes == 2**32


@pytest.mark.parametrize("text", ["", "../x", "A" * 64, "0" * 63, "0" * 64 + "\n", "/etc/passwd"])
def test_only_digests_name_files(models: Models, text: str) -> None:
    with pytest.raises(UnknownError):
        models.path(text, "mbv2")


def test_unknown_models(models: Models) -> None:
    with pytest.raises(UnknownError):
        models.get("faces")
