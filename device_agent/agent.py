"""The agent behind the routes: its files, its networks and its one measuring process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from anyio import CapacityLimiter

from device_agent.measuring.conditions import standing
from device_agent.memory.cache import Cache
from device_agent.memory.idempotency import Answers
from device_agent.memory.recall import Question, recall_all
from device_agent.models.networks import Networks
from device_agent.processes.jobs import Jobs
from device_agent.schema import (
    Device,
    InferAnswer,
    InferRequest,
    MeasureAnswer,
    MeasureRequest,
    ProfileAnswer,
    ProfileRequest,
)
from device_agent.settings import Settings
from device_agent.turns.fencing import Tokens
from device_agent.turns.leases import Leases, Turn
from device_agent.web.metrics import Metrics
from quant.errors import InputError

SPARE_THREADS = 8
"""Threads for jobs beyond those that wait: one runs, the others say at once why they do not."""


class Agent:
    """Answers requests that passed authentication and validation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.networks = Networks(settings.data_dir, settings.max_store_bytes)
        self.files = self.networks.files
        self.cache = Cache(settings.data_dir / "cache")
        self.jobs = Jobs(
            settings.job_timeout_s,
            settings.job_memory_bytes,
            settings.job_file_bytes,
            settings.data_dir / "jobs",
        )
        self.tokens = Tokens(settings.data_dir / "lease_token")
        self.leases = Leases(self.tokens.next, settings.max_waiting)
        self.answers = Answers()
        self.job_threads = CapacityLimiter(settings.max_waiting + SPARE_THREADS)

    def prepare(self) -> None:
        """Make the folders, and clear what an agent that was killed left in them."""
        self.networks.prepare()
        self.cache.prepare()
        self.jobs.prepare()
        self.tokens.prepare()

    def close(self) -> None:
        """Jobs that run, wait or come from now on fail with StoppingError."""
        self.leases.close()
        self.jobs.close()

    @cached_property
    def device(self) -> Device:
        """The board. A child asks ncnn: a wheel that this processor cannot run would kill it, and
        must not kill the service. It is asked once, beside any job, since it is over in a moment.
        """
        facts = self.jobs.run_beside(self.job("describe"))
        return Device(**facts, max_policies=self.settings.max_policies)

    def measure(self, request: MeasureRequest, turn: Turn) -> MeasureAnswer:
        """Latencies of policies. Raises InputError, JobError, and those of `Leases.use`."""
        self._check_policies(len(request.policies))
        if request.max_seconds > self.settings.job_timeout_s:
            raise InputError(f"max_seconds is over the limit of {self.settings.job_timeout_s:g} s")
        self.networks.require(request.network)
        asked = request.model_dump(exclude={"fresh"})
        spent_s = 0.0

        def measure(missing: list[int]) -> list[dict[str, Any]]:
            nonlocal spent_s
            policies = [request.policies[index] for index in missing]
            found = self._run("measure", {**asked, "policies": policies}, turn)
            spent_s = found["timed_s"]
            self.metrics.observe_noise(max(one["noise"] for one in found["latencies"]))
            return list(found["latencies"])

        shared = self._question("measure", asked)
        questions = [{**shared, "policies": policy} for policy in request.policies]
        latencies = recall_all(self.cache, questions, request.fresh, measure)
        return MeasureAnswer.model_validate({"latencies": latencies, "timed_s": spent_s})

    def profile(self, request: ProfileRequest, turn: Turn) -> ProfileAnswer:
        """Isolated latencies. Raises as `measure`."""
        self.networks.require(request.network)
        asked = request.model_dump(exclude={"fresh"})
        (answer,) = recall_all(
            self.cache,
            [self._question("profile", asked)],
            request.fresh,
            lambda _: [self._run("profile", asked, turn)],
        )
        return ProfileAnswer(**answer)

    def infer(self, request: InferRequest, turn: Turn) -> InferAnswer:
        """Logits of images. Raises as `measure`."""
        self._check_policies(len(request.policies))
        self.networks.require(request.network)
        with self.files.held(request.images):
            self.files.require(request.images)
            return InferAnswer(**self._run("infer", request.model_dump(), turn))

    def _check_policies(self, count: int) -> None:
        if count > self.settings.max_policies:
            raise InputError(f"at most {self.settings.max_policies} policies in one request")

    def _question(self, task: str, asked: Mapping[str, Any]) -> Question:
        """All that a measured number depends on, as far as it stays the same."""
        return {"task": task, **asked, "cpu": self.device.cpu, **standing()}

    def _run(self, task: str, arguments: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
        """A job that has the board for itself."""
        with (
            self.networks.held(arguments["network"]),
            self.leases.use(turn),
            self.metrics.timed_job(task),
        ):
            return self.jobs.run(self.job(task, arguments))

    def job(self, task: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the child is told."""
        return {
            "task": task,
            "data_dir": str(self.settings.data_dir.absolute()),
            "arguments": dict(arguments or {}),
        }
