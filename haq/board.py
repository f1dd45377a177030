"""Client of the device agent: describe the board, upload a network, measure policies on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2

from quant.errors import BoardError, InputError
from quant.ncnn.build import dump
from quant.ncnn.capabilities import Arch, Bits16, Capabilities
from quant.ncnn.format import NcnnLayer
from quant.policy import ENGINE_BITS, Policy

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 60.0
JOB_TIMEOUT_S = 3600.0
"""A job may wait for others before it starts."""
START_HINT = "HAQ_AGENT_KEY=... uvicorn device_agent:app --host ... --port ..."
T = TypeVar("T")


@dataclass(frozen=True)
class Device:
    """The board and its ncnn; `types16` are the layer types that have the 16-bit type `bits16`.

    `max_policies` is the largest batch that it measures at once.
    """

    cpu: str
    machine: str
    instruction_sets: tuple[str, ...]
    cores: int
    memory_bytes: int
    ncnn_version: str
    arch: Arch
    bits16: Bits16
    types16: frozenset[str]
    max_policies: int

    def capabilities(self) -> Capabilities:
        """What the planner needs to know."""
        return Capabilities(self.arch, self.bits16, self.types16)


@dataclass(frozen=True)
class Latency:
    """Measured latency of one policy.

    `ratio` is the median ratio to the float network, `ratio_low` to `ratio_high` its 95 %
    interval; `latency_ms` is `ratio` times `reference_ms`, the float network's median in the same
    batch; `mad_ms` is the median absolute deviation; `noise` the split-half difference as a share
    of the ratio; `checksum` the SHA-256 of the timed network's output; `conditions` the state of
    the board.
    """

    ratio: float
    ratio_low: float
    ratio_high: float
    latency_ms: float
    mad_ms: float
    rounds: int
    noise: float
    checksum: str
    reference_ms: float
    conditions: Mapping[str, object]


@dataclass(frozen=True)
class Profile:
    """Milliseconds of isolated layers by name and bits, of (producer, consumer) networks by their
    bits, and of the whole float network measured in the same call; `overhead_ms` is in all of them.
    """

    layers: Mapping[str, Mapping[int, float]]
    pairs: Mapping[tuple[str, str], Mapping[tuple[int, int], float]]
    reference_ms: float
    overhead_ms: float


class Board:
    """A board behind its device agent. Every failure is a BoardError of one line."""

    def __init__(
        self, url: str, key: str | None = None, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """`url` is http or https; `key` is the agent's HAQ_AGENT_KEY; raises InputError.

        `transport` replaces the network, for instance by the application itself.
        """
        self.url = check_url(url)
        self._network: str | None = None
        # trust_env off: a proxy of the environment must not see the key.
        self._client = httpx2.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def describe(self) -> Device:
        """What the board is; asked once."""
        return self._device

    @cached_property
    def _device(self) -> Device:
        return self._understand(read_device, self._send("GET", "/v1/device"))

    def capabilities(self) -> Capabilities:
        """What the board's ncnn really computes in 16 bits."""
        return self.describe().capabilities()

    def upload(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> str:
        """Give the board a float network; files that it has are not sent again.

        `ranges` are thresholds of input activations by layer name; `input_shape` is (channels,
        height, width). Returns the network's id, which later calls use.
        """
        param, weights = dump(layers)
        request = {
            "param": self._put(param.encode()),
            "bin": self._put(weights),
            "ranges": dict(ranges),
            "input_shape": list(input_shape),
        }
        answer = self._send("POST", "/v1/networks", json=request)
        self._network = self._understand(lambda found: str(found["id"]), answer)
        return self._network

    def measure(
        self,
        policies: Sequence[Policy],
        *,
        rel_ci: float = 0.01,
        min_rounds: int = 20,
        max_rounds: int = 200,
        max_seconds: float = 120.0,
        threads: int = 1,
        seed: int = 0,
    ) -> list[Latency]:
        """Latencies in the order of the policies, in batches that the board accepts.

        A batch ends when every 95 % interval is narrower than `rel_ci` of its ratio, at
        `max_rounds`, or after `max_seconds`. Raises PolicyError where ncnn cannot run a policy.
        """
        limits = {
            **{"rel_ci": rel_ci, "min_rounds": min_rounds, "max_rounds": max_rounds},
            **{"max_seconds": max_seconds, "threads": threads, "seed": seed},
        }
        chosen = [policy.engine_bits() for policy in policies]
        size = self.describe().max_policies
        found: list[Latency] = []
        for start in range(0, len(chosen), size):
            batch = chosen[start : start + size]
            answer = self._job("/v1/measure", {"policies": batch, **limits})
            found += self._understand(read_latencies, answer)
        return found

    def profile(
        self,
        layers: Sequence[str] | None = None,
        bits: Sequence[int] = ENGINE_BITS,
        *,
        rounds: int = 20,
        seed: int = 0,
    ) -> Profile:
        """Isolated latencies of layers (None: all) and of each with its direct producer."""
        names = None if layers is None else list(layers)
        request = {"layers": names, "bits": list(bits), "rounds": rounds, "seed": seed}
        return self._understand(read_profile, self._job("/v1/profile", request))

    def _job(self, path: str, request: Mapping[str, object]) -> httpx2.Response:
        if self._network is None:
            raise BoardError("the board has no network to measure: upload one first")
        timeout = httpx2.Timeout(JOB_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
        return self._send("POST", path, json={"network": self._network, **request}, timeout=timeout)

    def _put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = f"/v1/files/{digest}"
        if self._send("HEAD", path, absent_ok=True).status_code == httpx2.codes.NOT_FOUND:
            self._send("PUT", path, content=data)
        return digest

    def _send(
        self, method: str, path: str, *, absent_ok: bool = False, **options: Any
    ) -> httpx2.Response:
        try:
            response = self._client.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise BoardError(explain_transport(self.url, error)) from None
        absent = absent_ok and response.status_code == httpx2.codes.NOT_FOUND
        if not (response.is_success or absent):
            raise BoardError(explain_refusal(self.url, response))
        return response

    def _understand(self, read: Callable[[Any], T], response: httpx2.Response) -> T:
        try:
            return read(response.json())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BoardError(f"what answers at {self.url} is not a haq device agent") from None


def check_url(url: str) -> str:
    """The URL without a slash at its end. Raises InputError unless it is http(s) with a host."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.username is not None or parts.query or parts.fragment:
        raise InputError(f"'{url}' is not a board's address: expected http://HOST:PORT")
    return url.rstrip("/")


def explain_transport(url: str, error: httpx2.HTTPError) -> str:
    """One line for a board that could not be reached or was lost."""
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return f"no device agent answers at {url}: start it with `{START_HINT}`"
    if isinstance(error, httpx2.TimeoutException):
        return f"the device agent at {url} did not answer in time"
    return f"the device agent at {url} was lost: {str(error) or type(error).__name__}"


def explain_refusal(url: str, response: httpx2.Response) -> str:
    """One line for an answer that is an error; the agent's own words where it gives any."""
    if response.status_code == httpx2.codes.UNAUTHORIZED:
        return f"the device agent at {url} refuses the key: it must equal the agent's HAQ_AGENT_KEY"
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.reason_phrase
    return f"the device agent at {url} answers {response.status_code}: {detail}"


def read_device(answer: Any) -> Device:
    """The answer of `/v1/device`."""
    sets, types = tuple(answer["instruction_sets"]), frozenset(answer["types16"])
    return Device(**{**answer, "instruction_sets": sets, "types16": types})


def read_latencies(answer: Any) -> list[Latency]:
    """The answer of `/v1/measure`."""
    shared = {"reference_ms": answer["reference_ms"], "conditions": answer["conditions"]}
    return [Latency(**one, **shared) for one in answer["latencies"]]


def read_profile(answer: Any) -> Profile:
    """The answer of `/v1/profile`."""
    layers = {
        name: {int(bits): ms for bits, ms in times.items()}
        for name, times in answer["layers"].items()
    }
    pairs = {
        (pair["producer"], pair["consumer"]): {read_pair(k): ms for k, ms in pair["ms"].items()}
        for pair in answer["pairs"]
    }
    return Profile(layers, pairs, answer["reference_ms"], answer["overhead_ms"])


def read_pair(text: str) -> tuple[int, int]:
    """`8,16` as numbers."""
    first, second = text.split(",")
    return int(first), int(second)
