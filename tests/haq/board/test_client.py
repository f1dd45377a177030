from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from queue import Queue
from threading import Event
from typing import Any

import httpx2
import numpy as np
import pytest
import stamina
from pydantic import SecretStr
from starlette.testclient import TestClient

from device_agent.schema import MeasureRequest, ProfileRequest
from device_agent.settings import Settings
from device_agent.web.service import create_app
from haq.board import Board
from haq.board.parallel import start
from quant.errors import (
    BoardError,
    BoardInvalidError,
    BoardLostError,
    InputError,
    PolicyError,
)
from quant.graph import Floats
from quant.ncnn.build import dump
from quant.ncnn.runtime import Engine, capabilities
from quant.policy import Bits, Policy, uniform
from tests.device_agent.small_network import NAMES, RANGES, SHAPE, small_layers
from tests.haq.board.queue import QueueAgent, problem

SHORT: dict[str, Any] = {"rel_ci": 0.5, "min_rounds": 4, "max_rounds": 8}
URL, KEY = "http://board.local:8000", "a key"


class Switch(httpx2.BaseTransport):
    """Passes requests on to an agent, which can be replaced, and remembers them."""

    def __init__(self, agent: httpx2.BaseTransport) -> None:
        self.agent = agent
        self.requests: list[httpx2.Request] = []

    @property
    def asked(self) -> list[str]:
        """Methods and beginnings of paths."""
        return [f"{request.method} {request.url.path[:9]}" for request in self.requests]

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return self.agent.handle_request(request)


@contextmanager
def agent(folder: Path) -> Iterator[httpx2.BaseTransport]:
    app = create_app(Settings(key=SecretStr(KEY), data_dir=folder, max_policies=2))
    with TestClient(app) as client:
        yield client._transport


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[Switch]:
    with agent(tmp_path / "agent") as found:
        yield Switch(found)


@pytest.fixture
def board(transport: Switch) -> Iterator[Board]:
    with Board(URL, KEY, transport) as found:
        yield found


def answering(respond: Callable[[httpx2.Request], httpx2.Response]) -> Board:
    return Board(URL, KEY, httpx2.MockTransport(respond))


def test_describe_and_capabilities(board: Board, transport: Switch) -> None:
    assert board.capabilities() == capabilities()
    assert board.describe().max_policies == 2
    assert transport.asked == ["GET /v1/devic"]


def test_files_travel_once(board: Board, transport: Switch) -> None:
    first = board.upload(small_layers(), RANGES, SHAPE)
    assert transport.asked.count("PUT /v1/files") == 2
    assert board.upload(small_layers(), RANGES, SHAPE) == first
    assert transport.asked.count("PUT /v1/files") == 2


def test_measure_splits_batches_and_keeps_the_order(board: Board, transport: Switch) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    policies = [uniform(NAMES, bits, bits) for bits in (8, 32, 8, 16, 32)]
    found = board.measure(policies, **SHORT)
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


def test_a_wrong_key_names_the_variable(transport: Switch) -> None:
    for key in (None, "wrong"):
        with pytest.raises(BoardError, match=r"refuses the key.*HAQ_AGENT_KEY"):
            Board(URL, key, transport).describe()


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


def test_nobody_listening() -> None:
    with pytest.raises(BoardLostError, match=r"no device agent answers at http://127\.0\.0\.1:9: "):
        Board("http://127.0.0.1:9").describe()


def test_every_measurement_says_when_and_how_it_was_made(board: Board) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    (found,) = board.measure([uniform(NAMES, 8, 8)], **SHORT)
    assert not found.cached
    assert datetime.fromisoformat(found.measured_at.replace("Z", "+00:00")).tzinfo is not None
    assert found.conditions_before["threads"] == found.conditions["threads"] == 1
    assert found.voided >= 0
    assert found.audit is None


def test_an_audit_is_passed_on(board: Board) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    (found,) = board.measure([uniform(NAMES, 8, 8)], audit=True, **SHORT)
    assert found.audit is not None
    assert found.audit["outputs_equal"]


def test_every_option_of_a_measurement_reaches_the_agent() -> None:
    how: dict[str, Any] = {
        **{"rel_ci": 0.03, "min_rounds": 5, "max_rounds": 6, "max_seconds": 7.0},
        **{"threads": 2, "cores": [0, 1], "clock": "wall", "cool_to_c": 50.0},
        **{"fresh": True, "audit": True, "seed": 9, "together": True},
    }
    asked = options_of("/v1/measure", lambda board: board.measure([uniform(NAMES, 8, 8)], **how))
    found = MeasureRequest(**asked["body"])
    assert (found.rel_ci, found.min_rounds, found.max_rounds) == (0.03, 5, 6)
    assert (found.max_seconds, found.threads, found.cores) == (7.0, 2, [0, 1])
    assert (found.clock, found.cool_to_c, found.fresh) == ("wall", 50.0, True)
    assert (found.audit, found.seed) == (True, 9)
    assert 7 + 60 < asked["timeout_s"] < 1000


def test_every_option_of_a_profile_reaches_the_agent() -> None:
    asked = options_of(
        "/v1/profile",
        lambda board: board.profile(
            None, (8, 32), rounds=3, threads=2, cores="big", checks=4, fresh=True, seed=5
        ),
    )
    found = ProfileRequest(**asked["body"])
    assert (found.layers, found.bits, found.rounds) == (None, [8, 32], 3)
    assert (found.threads, found.cores, found.checks) == (2, "big", 4)
    assert (found.fresh, found.seed) == (True, 5)


def options_of(path: str, call: Callable[[Board], object]) -> dict[str, Any]:
    """The body and the time-out of the job that a call sends to an agent that refuses it."""
    device = {
        **{"cpu": "c", "machine": "m", "instruction_sets": [], "cores": 1, "memory_bytes": 1},
        **{"ncnn_version": "1", "arch": "x86", "bits16": "none", "types16": [], "max_policies": 4},
    }

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/device":
            return httpx2.Response(200, json=device)
        return httpx2.Response(200, json={"id": "0" * 64})

    def refuse(request: httpx2.Request) -> httpx2.Response:
        return problem(422, "invalid") if request.url.path == path else respond(request)

    queue = QueueAgent([refuse] * 20)
    with Board(URL, KEY, queue.transport) as board:
        board.upload(small_layers(), RANGES, SHAPE)
        with pytest.raises(BoardInvalidError, match="answers 422"):
            call(board)
    job = queue.jobs[-1]
    assert job.url.path == path
    return {"body": json.loads(job.content), "timeout_s": job.extensions["timeout"]["read"]}


def test_logits_of_images(board: Board, transport: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Split into files and batches, each file sent once, and what they say is what ncnn says."""
    monkeypatch.setattr("haq.board.images.FILE_BYTES", 2 * 3 * 16 * 16)
    board.upload(small_layers(), RANGES, SHAPE)
    images = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), np.uint8)
    policies = [uniform(NAMES, bits, bits) for bits in (8, 16, 32)]
    found = board.infer(policies, images)
    assert found.shape == (3, 5, 10)
    assert found.dtype == np.float32
    assert np.array_equal(board.infer(policies[::2], images[2:4]), found[::2, 2:4])
    assert transport.asked.count("PUT /v1/files") == 2 + 3
    files = [path for path in transport.asked if path == "POST /v1/infer"]
    assert len(files) == 3 * 2 + 1
    x = images[4].astype(np.float32) / np.float32(127.5) - 1
    assert np.allclose(found[2, 4], run_float(x), atol=1e-4)


def run_float(x: Floats) -> Floats:
    return Engine.from_memory(*dump(small_layers())).run(x)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, *SHAPE), np.uint8),
        np.zeros((2, 3, 8, 8), np.uint8),
        np.zeros((2, *SHAPE), np.float32),
        np.zeros(SHAPE, np.uint8),
    ],
)
def test_images_must_fit_the_network(images: Any, board: Board) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    with pytest.raises(InputError, match="do not fit the network"):
        board.infer([uniform(NAMES, 8, 8)], images)


def test_an_agent_that_lost_its_files_gets_them_again(
    board: Board, transport: Switch, tmp_path: Path
) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    images = np.zeros((2, *SHAPE), np.uint8)
    policy = uniform(NAMES, 8, 8)
    before = board.infer([policy], images)
    with agent(tmp_path / "first") as transport.agent:
        (latency,) = board.measure([policy], **SHORT)
    assert latency.ratio > 0
    with agent(tmp_path / "second") as transport.agent:
        assert np.array_equal(board.infer([policy], images), before)
    assert transport.asked.count("PUT /v1/files") == 3 + 2 + 3


def test_an_agent_that_keeps_losing_files_is_not_asked_for_ever(board: Board) -> None:
    absent = QueueAgent([lambda request: problem(404, "unknown-network")] * 99)
    unregistered = Board(URL, KEY, absent.transport)
    with pytest.raises(BoardInvalidError, match="answers 404"):
        unregistered.upload(small_layers(), RANGES, SHAPE)


def test_status(board: Board) -> None:
    found = board.status()
    assert (found.lease, found.waiting, found.running) == (None, 0, False)
    assert found.conditions["ncnn_version"] == board.describe().ncnn_version


def test_the_lease_is_free_after_a_job(board: Board) -> None:
    board.upload(small_layers(), RANGES, SHAPE)
    with pytest.raises(BoardInvalidError):
        board.measure([Policy({**uniform(NAMES, 8, 8).layers, "ghost": Bits(8, 8)})])
    assert board.status().lease is None


def test_a_board_in_use_is_waited_for(transport: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haq.board.lease.POLL_S", 0.01)
    told: Queue[str] = Queue()
    headers = {"Authorization": f"Bearer {KEY}"}
    other = httpx2.Client(base_url=URL, headers=headers, transport=transport.agent)
    lease = other.post("/v1/leases", json={"client": "another search"}).json()["id"]
    with Board(URL, KEY, transport, tell=told.put) as board:
        board.upload(small_layers(), RANGES, SHAPE)
        found = start(lambda: board.measure([uniform(NAMES, 8, 8)], **SHORT))
        assert told.get(timeout=30) == f"waiting for {URL}: place 1 of its queue"
        status = board.status()
        assert status.lease is not None
        assert (status.lease.client, status.waiting) == ("another search", 1)
        assert "POST /v1/measu" not in transport.asked
        assert other.delete(f"/v1/leases/{lease}").status_code == 204
        assert len(found.result(60)) == 1


def test_closing_gives_the_board_back_although_a_job_is_under_way(transport: Switch) -> None:
    """As an interrupt does while other threads measure."""
    arrived, end = Event(), Event()

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/measure":
            arrived.set()
            end.wait(30)
            raise httpx2.ReadError("closed")
        return transport.handle_request(request)

    board = Board(URL, KEY, httpx2.MockTransport(respond))
    board.upload(small_layers(), RANGES, SHAPE)
    found = start(lambda: board.measure([uniform(NAMES, 8, 8)]))
    assert arrived.wait(30)
    assert board.status().lease is not None
    board.close()
    with Board(URL, KEY, transport) as other:
        assert other.status().lease is None
    end.set()
    assert isinstance(found.exception(30), Exception)


def test_a_job_whose_answer_was_lost_is_not_done_twice(transport: Switch) -> None:
    lost: list[Any] = []

    def respond(request: httpx2.Request) -> httpx2.Response:
        response = transport.handle_request(request)
        if request.url.path == "/v1/measure" and not lost:
            lost.append(json.loads(response.read()))
            raise httpx2.ReadError("connection reset")
        return response

    with (
        Board(URL, KEY, httpx2.MockTransport(respond)) as board,
        stamina.set_testing(True, attempts=2),
    ):
        board.upload(small_layers(), RANGES, SHAPE)
        (found,) = board.measure([uniform(NAMES, 8, 8)], fresh=True, **SHORT)
    assert transport.asked.count("POST /v1/measu") == 2
    assert found.latency_ms == lost[0]["latencies"][0]["latency_ms"]
    assert found.mad_ms == lost[0]["latencies"][0]["mad_ms"]
