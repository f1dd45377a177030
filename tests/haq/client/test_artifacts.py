from __future__ import annotations

from pathlib import Path

import pytest

from haq.client import Artifact, Client, ServerUnknownError
from haq.digest import sha256_of
from quant.errors import InputError, StorageError
from tests.haq.client.served import Served


def test_what_is_listed_can_be_fetched(served: Served, client: Client, tmp_path: Path) -> None:
    made = client.begin()
    assert client.artifacts(made.id) == ()
    there = served.put_file(made.id, "policy.json", b'{"version": 1}')
    served.put_file(made.id, "store.sqlite", b"not for others")
    assert client.artifacts(made.id) == (Artifact("policy.json", 14, sha256_of(there)),)
    here = client.download(made.id, "policy.json", tmp_path / "new" / "folder")
    assert here == tmp_path / "new" / "folder" / "policy.json"
    assert here.read_bytes() == there.read_bytes()


def test_what_is_not_there(client: Client, tmp_path: Path) -> None:
    made = client.begin()
    with pytest.raises(ServerUnknownError, match="there is no artifact"):
        client.download(made.id, "policy.json", tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("name", ["../policy.json", "/etc/passwd", "", ".hidden", "a/b"])
def test_nothing_is_written_elsewhere(name: str, client: Client, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an artifact's name"):
        client.download("0" * 32, name, tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_place_that_cannot_be_written(served: Served, client: Client, tmp_path: Path) -> None:
    made = client.begin()
    served.put_file(made.id, "policy.json", b"{}")
    (tmp_path / "here" / "policy.json").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"policy\.json cannot be written"):
        client.download(made.id, "policy.json", tmp_path / "here")
