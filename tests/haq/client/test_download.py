from __future__ import annotations

import random
from pathlib import Path

import pytest
import stamina

from haq.client import Client, ServerInvalidError, ServerLostError
from haq.digest import to_header
from haq.store.durable import partial_of
from tests.haq.board import wire
from tests.haq.client.losses import Cutting
from tests.haq.client.served import Served

SEARCH = "0" * 32
DATA = random.Random(0).randbytes(700_000)


def put(served: Served, data: bytes = DATA) -> str:
    """A search with this as its network."""
    with served.client() as client:
        made = client.begin()
    served.put_file(made.id, "mbv2.onnx", data)
    return made.id


def test_a_lost_connection_is_gone_on_with_where_it_broke(served: Served, tmp_path: Path) -> None:
    cuts = Cutting(*[150_000] * 4)
    search_id = put(served)
    with served.client(transport=cuts) as client:
        here = client.download(search_id, "mbv2.onnx", tmp_path)
    assert here.read_bytes() == DATA
    ranges = [request.headers.get("range") for request in cuts.requests]
    assert ranges[0] is None
    begins = [int(str(text).removeprefix("bytes=").rstrip("-")) for text in ranges[1:]]
    assert begins == sorted(set(begins))
    assert 0 < begins[0] <= 150_000
    assert not partial_of(here).exists()


def test_a_file_that_changes_meanwhile_comes_as_it_is_then(served: Served, tmp_path: Path) -> None:
    search_id, other = put(served), DATA[::-1]

    class Changing(Cutting):
        def handle_request(self, request):  # type: ignore[no-untyped-def]
            if self.requests:
                served.put_file(search_id, "mbv2.onnx", other)
            return super().handle_request(request)

    with served.client(transport=Changing(300_000)) as client:
        assert client.download(search_id, "mbv2.onnx", tmp_path).read_bytes() == other


def test_a_server_that_is_lost_leaves_what_was_here(served: Served, tmp_path: Path) -> None:
    before = tmp_path / "mbv2.onnx"
    before.write_bytes(b"before")
    cuts = Cutting(0, 0, 0)
    search_id = put(served)
    with (
        stamina.set_testing(True, attempts=3),
        served.client(transport=cuts) as client,
        pytest.raises(ServerLostError),
    ):
        client.download(search_id, "mbv2.onnx", tmp_path)
    assert len(cuts.requests) == 3
    assert before.read_bytes() == b"before"
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b'ETag: "a"\r\nRepr-Digest: ' + to_header("0" * 64).encode(), "is not what the server"),
        (b'ETag: "a"', "is not a haq server"),
        (b"Repr-Digest: " + to_header("0" * 64).encode(), "is not a haq server"),
    ],
    ids=["another digest", "no digest", "no mark"],
)
def test_what_is_not_what_it_should_be_is_not_kept(head: bytes, said: str, tmp_path: Path) -> None:
    answer = wire.answering(b"content", wire.OK + head + b"\r\n")
    with (
        wire.serving(answer) as server,
        Client(server.url) as client,
        pytest.raises(ServerInvalidError, match=said),
    ):
        client.download(SEARCH, "mbv2.onnx", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_a_file_too(served: Served, tmp_path: Path) -> None:
    search_id = put(served, b"")
    with served.client() as client:
        assert client.download(search_id, "mbv2.onnx", tmp_path).read_bytes() == b""
