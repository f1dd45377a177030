from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.service import create_app
from device_agent.settings import Settings
from haq.board import Board
from quant.errors import BoardError, InputError, PolicyError
from quant.ncnn.runtime import capabilities
from quant.policy import Bits, Policy, uniform
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, small_layers

URL, KEY = "http://board.local:8000", "a key"


class Recorder(httpx2.BaseTransport):
    """Passes requests on and remembers what they asked for."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner
        self.asked: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(f"{request.method} {request.url.path[:9]}")
        return self.inner.handle_request(request)


@pytest.fixture
def transport(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    data = tmp_path_factory.mktemp("agent")
    app = create_app(Settings(key=SecretStr(KEY), data_dir=data, max_policies=2))
    with TestClient(app) as client:
        yield Recorder(client._transport)


@pytest.fixture
def board(transport: Recorder) -> Iterator[Board]:
    with Board(URL, KEY, transport) as found:
        yield found


def answering(respond: Callable[[httpx2.Request], httpx2.Response]) -> Board:
    return Board(URL, KEY, httpx2.MockTransport(respond))


def test_describe_and_capabilities(board: Board, transport: Recorder) -> None:
    assert board.capabilities() == capabilities()
    assert board.describe().max_policies == 2
    assert transport.asked == ["GET /v1/devic"]


def test_files_travel_once(board: Board, transport: Recorder) -> None:
    first = board.upload(small_layers(), RANGES, SHAPE)
    assert transport.asked.count("PUT /v1/files") == 2
    assert board.upload(small_layers(), RANGES, SHAPE) == first
    assert transport.asked.count("PUT /v1/files") == 2


def test_measure_splits_batches_and_keeps_the_order(board: Board, transport: Recorder) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    policies = [uniform(NAMES, bits, bits) for bits in (8, 32, 8, 16, 32)]
    found = board.measure(policies, rel_ci=0.5, min_rounds=4, max_rounds=8)
    assert transport.asked.count("POST /v1/measu") == 3
    checksums = [latency.checksum for latency in found]
    assert checksums[0] == checksums[2]
    assert checksums[1] == checksums[4]
    assert len(set(checksums)) == 3
    for latency in found:
        assert latency.ratio_low <= latency.ratio <= latency.ratio_high
        assert latency.latency_ms == pytest.approx(latency.ratio * latency.reference_ms)
        assert latency.conditions["threads"] == 1


def test_profile(board: Board) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    found = board.profile(["depthwise", "pointwise"], (8, 32), rounds=2)
    assert set(found.layers["depthwise"]) == {8, 32}
    assert set(found.pairs) == {("stem", "depthwise"), ("depthwise", "pointwise")}
    assert set(found.pairs["stem", "depthwise"]) == {(8, 8), (8, 32), (32, 8), (32, 32)}
    assert found.overhead_ms < found.reference_ms


def test_simulated_policies_never_reach_the_board(board: Board) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    with pytest.raises(PolicyError, match="W4A4"):
        board.measure([uniform(NAMES, 4, 4)])


def test_the_agents_own_words_are_passed_on(board: Board) -> None:
    with pytest.raises(BoardError, match="upload one first"):
        board.profile()
    board.upload(small_layers(), RANGES, SHAPE)
    with pytest.raises(BoardError, match="answers 422: the network has no layer ghost"):
        board.measure([Policy({**uniform(NAMES, 8, 8).layers, "ghost": Bits(8, 8)})])


def test_a_wrong_key_names_the_variable(transport: Recorder) -> None:
    for key in (None, "wrong"):
        with pytest.raises(BoardError, match=r"refuses the key.*HAQ_AGENT_KEY"):
            Board(URL, key, transport).describe()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (httpx2.ConnectError("refused"), "no device agent answers at .*: start it with `.*uvicorn"),
        (httpx2.ConnectTimeout("slow"), "no device agent answers at"),
        (httpx2.ReadTimeout("slow"), "did not answer in time"),
        (httpx2.ReadError(""), "was lost: ReadError"),
        (httpx2.RemoteProtocolError("half a body"), "was lost: half a body"),
    ],
)
def test_every_loss_is_one_clear_line(error: Exception, message: str) -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(BoardError, match=message) as raised:
        answering(respond).describe()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "response",
    [
        httpx2.Response(200, text="<html>a router</html>"),
        httpx2.Response(200, json=[]),
        httpx2.Response(200, json={"cpu": "half an answer"}),
        httpx2.Response(302, headers={"Location": "http://169.254.169.254/"}),
    ],
)
def test_other_servers_are_recognised(response: httpx2.Response) -> None:
    with pytest.raises(BoardError, match=r"not a haq device agent|answers 302"):
        answering(lambda request: response).describe()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "board:8000",
        "ftp://board",
        "http://",
        "file:///etc/passwd",
        "http://user:pw@board",
        "http://board:99999",
        "http://[::1",
    ],
)
def test_urls_must_be_http(url: str) -> None:
    with pytest.raises(InputError, match="http://HOST:PORT"):
        Board(url)


def test_nobody_listening() -> None:
    with pytest.raises(BoardError, match=r"no device agent answers at http://127\.0\.0\.1:9"):
        Board("http://127.0.0.1:9").describe()
