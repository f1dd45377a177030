"""The agent behind the routes: its files, its networks and its one measuring process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from device_agent.jobs import Jobs
from device_agent.networks import Networks
from device_agent.schema import (
    Device,
    MeasureAnswer,
    MeasureRequest,
    ProfileAnswer,
    ProfileRequest,
)
from device_agent.settings import Settings
from quant.errors import InputError


class Agent:
    """Answers requests that passed authentication and validation."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.networks = Networks(settings.data_dir)
        self.files = self.networks.files
        self.jobs = Jobs(settings.job_timeout_s)

    @cached_property
    def device(self) -> Device:
        """The board. A child asks ncnn: a wheel that this processor cannot run would kill it, and
        must not kill the service. It is asked once, beside any job, since it is over in a moment.
        """
        facts = self.jobs.run_beside(self.job("describe"))
        return Device(**facts, max_policies=self.settings.max_policies)

    def measure(self, request: MeasureRequest) -> MeasureAnswer:
        """Latencies of policies. Raises InputError, JobError."""
        if len(request.policies) > self.settings.max_policies:
            raise InputError(f"at most {self.settings.max_policies} policies in one measurement")
        if request.max_seconds > self.settings.job_timeout_s:
            raise InputError(f"max_seconds is over the limit of {self.settings.job_timeout_s:g} s")
        self.networks.require(request.network)
        return MeasureAnswer(**self.jobs.run(self.job("measure", request.model_dump())))

    def profile(self, request: ProfileRequest) -> ProfileAnswer:
        """Isolated latencies. Raises InputError, JobError."""
        self.networks.require(request.network)
        return ProfileAnswer(**self.jobs.run(self.job("profile", request.model_dump())))

    def job(self, task: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the child is told."""
        return {
            "task": task,
            "data_dir": str(self.settings.data_dir.absolute()),
            "memory_bytes": self.settings.job_memory_bytes,
            "arguments": dict(arguments or {}),
        }
