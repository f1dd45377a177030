"""Client of the device agent: describe the board, upload a network, measure policies on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
import numpy as np
from numpy.typing import NDArray

from haq.board._base import Tell, silent
from haq.board.address import leads_here
from haq.board.answers import (
    Device,
    Latency,
    Profile,
    Status,
    read_device,
    read_latencies,
    read_profile,
    read_status,
)
from haq.board.connection import ANSWER_BYTES, Connection
from haq.board.failures import AbsentError
from haq.board.images import LOGITS_BYTES, decode_logits, images_in_a_file, policies_in_a_job
from haq.board.jobs import Jobs
from haq.board.uploads import Uploads
from haq.progress import chunks
from quant.errors import InputError
from quant.graph import Floats
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer
from quant.policy import ENGINE_BITS, Policy

STATUS_TIMEOUT_S = 10.0
LOADING_S = 300.0
"""Allowed for building and loading the networks of a measurement on a slow board."""
COOLING_S = 300.0
"""The agent waits so long for a board to cool, at most."""
JOB_TIMEOUT_S = 1800.0
"""Of jobs without a limit of their own; the agent ends them sooner."""


class Board:
    """A board behind its device agent. Every failure is a BoardError of one line.

    BoardLostError: it does not answer, or was lost in the middle, after a few attempts.
    BoardBusyError: others have it, or it is about to stop. BoardRefusedError: its key or
    certificate. BoardInvalidError: what it cannot do, or what is no device agent.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        transport: httpx2.BaseTransport | None = None,
        *,
        ca: Path | None = None,
        address: str | None = None,
        tell: Tell = silent,
        queue_limit_s: float | None = None,
    ) -> None:
        """`url` is http or https; `key` is the agent's HAQ_AGENT_KEY; raises InputError.

        `ca` is a PEM file with the only authorities to be trusted; `address` the only IP address
        to connect to, whatever the URL's name means; `tell` hears of the place in the board's
        queue, and `queue_limit_s` bounds the wait in it. `transport` replaces the network, for
        instance by the application itself.
        """
        self._connection = Connection(url, key, ca, address, transport)
        self._jobs = Jobs(self._connection, tell, queue_limit_s)
        self._uploads = Uploads(self._connection)
        self.url = self._connection.url
        self.is_here = leads_here(self.url, address)

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
        """Give the board back, and close the connections."""
        self._jobs.close()
        self._connection.close()

    def describe(self) -> Device:
        """What the board is; asked once."""
        return self._device

    @cached_property
    def _device(self) -> Device:
        answer = self._connection.ask("GET", "/v1/device")
        return self._connection.understand(read_device, answer)

    def capabilities(self) -> Capabilities:
        """What the board's ncnn really computes in 16 bits."""
        return self.describe().capabilities()

    def status(self) -> Status:
        """How the board is at the moment; a lost board is not asked again."""
        answer = self._connection.ask_once("GET", "/v1/status", timeout_s=STATUS_TIMEOUT_S)
        return self._connection.understand(read_status, answer)

    def upload(
        self,
        layers: Sequence[NcnnLayer],
        ranges: Mapping[str, float],
        input_shape: tuple[int, int, int],
    ) -> str:
        """Give the board a float network; files that it has are not sent again.

        `ranges` are thresholds of input activations by layer name; `input_shape` is (channels,
        height, width). Returns the network's id. Later calls use this network; where the board
        turns out to have lost it, it is sent once more.
        """
        self._uploads.choose(layers, ranges, input_shape)
        return self._uploads.network_id()

    def measure(
        self,
        policies: Sequence[Policy],
        *,
        rel_ci: float = 0.01,
        min_rounds: int = 40,
        max_rounds: int = 1000,
        max_seconds: float = 120.0,
        threads: int = 1,
        cores: Sequence[int] | str | None = None,
        clock: str = "auto",
        cool_to_c: float | None = None,
        fresh: bool = False,
        audit: bool = False,
        seed: int = 0,
        together: bool = False,
    ) -> list[Latency]:
        """Latencies in the order of the policies, in batches that the board accepts.

        A batch ends when every 95 % interval is narrower than `rel_ci` of its ratio, at
        `max_rounds`, or after `max_seconds`. `threads`, `cores`, `clock`, `cool_to_c`, `fresh`,
        `audit` and `seed` are those of `device_agent.schema`. `together` keeps all policies on one
        board, which this is. Raises PolicyError where ncnn cannot run a policy.
        """
        limits = {
            **{"rel_ci": rel_ci, "min_rounds": min_rounds, "max_rounds": max_rounds},
            **{"max_seconds": max_seconds, "cool_to_c": cool_to_c, "audit": audit},
            **timing(threads, cores, clock, fresh, seed),
        }
        timeout_s = max_seconds + LOADING_S + (0.0 if cool_to_c is None else COOLING_S)
        chosen = [policy.engine_bits() for policy in policies]
        found: list[Latency] = []
        for batch in chunks(chosen, self.describe().max_policies):
            answer = self._job("/v1/measure", {"policies": list(batch), **limits}, timeout_s)
            found += self._connection.understand(read_latencies, answer)
        return found

    def profile(
        self,
        layers: Sequence[str] | None = None,
        bits: Sequence[int] = ENGINE_BITS,
        *,
        rounds: int = 20,
        threads: int = 1,
        cores: Sequence[int] | str | None = None,
        checks: int = 0,
        fresh: bool = False,
        seed: int = 0,
    ) -> Profile:
        """Isolated latencies of layers (None: all) and of each with its direct producer.

        `checks` random policies are measured beside what the table predicts for them.
        """
        names = None if layers is None else list(layers)
        request = {
            **{"layers": names, "bits": list(bits), "rounds": rounds, "checks": checks},
            **timing(threads, cores, "auto", fresh, seed),
        }
        answer = self._job("/v1/profile", request, JOB_TIMEOUT_S)
        return self._connection.understand(read_profile, answer)

    def infer(self, policies: Sequence[Policy], images: NDArray[np.uint8]) -> Floats:
        """Logits (policies, N, classes), or of every pixel, as the board's ncnn computes them.

        `images` (N, C, H, W) are sent in files that the board keeps. Raises PolicyError where ncnn
        cannot run a policy, InputError for images that do not fit the network.
        """
        network = self._uploads.network
        if images.dtype != np.uint8 or images.shape[1:] != network.input_shape or not len(images):
            given, wanted = f"{images.dtype} {images.shape}", f"uint8 (N, *{network.input_shape})"
            raise InputError(f"images of {given} do not fit the network, which takes {wanted}")
        chosen = [policy.engine_bits() for policy in policies]
        size = images_in_a_file(images[0].nbytes, network.logits)
        parts = (images[start : start + size] for start in range(0, len(images), size))
        return np.concatenate([self._infer(chosen, part) for part in parts], axis=1)

    def _infer(self, policies: Sequence[Mapping[str, int]], images: NDArray[np.uint8]) -> Floats:
        data, count = np.ascontiguousarray(images).tobytes(), len(images)
        size = policies_in_a_job(count, self._uploads.network.logits)
        found = []
        for batch in chunks(policies, min(size, self.describe().max_policies)):
            request = {"policies": list(batch)}
            answer = self._job("/v1/infer", request, JOB_TIMEOUT_S, LOGITS_BYTES, data)
            found.append(self._decode(answer, len(batch), count))
        return np.concatenate(found)

    def _decode(self, answer: Any, policies: int, images: int) -> Floats:
        return self._connection.understand(lambda a: decode_logits(a, policies, images), answer)

    def _job(
        self,
        path: str,
        request: Mapping[str, object],
        timeout_s: float,
        limit_bytes: int = ANSWER_BYTES,
        images: bytes | None = None,
    ) -> Any:
        """The answer of a job. An agent that was started on an empty folder, or had to make room,
        has lost files: they are sent once more."""

        def run() -> Any:
            files = {"network": self._uploads.network_id()}
            if images is not None:
                files["images"] = self._uploads.put(images)
            return self._jobs.run(path, {**files, **request}, timeout_s, limit_bytes)

        try:
            return run()
        except AbsentError:
            self._uploads.forget()
            return run()


def timing(
    threads: int, cores: Sequence[int] | str | None, clock: str, fresh: bool, seed: int
) -> dict[str, object]:
    """How networks are timed, as the agent's `Timing` has it."""
    kept = cores if cores is None or isinstance(cores, str) else list(cores)
    return {"threads": threads, "cores": kept, "clock": clock, "fresh": fresh, "seed": seed}
