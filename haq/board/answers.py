"""What a board answers, as plain data; readers raise ValueError for anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from device_agent.measuring.prediction import read_table
from quant.ncnn.capabilities import Arch, Bits16, Capabilities

Facts = Mapping[str, Any]
"""Values by name, as the agent gives them; the names are those of `device_agent.schema`."""


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
    batch; `mad_ms` is the median absolute deviation; `rounds` are samples and `voided` the rounds
    thrown away; `noise` the split-half difference as a share of the ratio; `checksum` the SHA-256
    of the timed network's output; `conditions` the state of the board afterwards and
    `conditions_before` before; `cached` says that this is an earlier answer, of `measured_at`
    (ISO 8601, UTC); `audit` is what an audit found, if one was asked for.
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
    conditions: Facts
    conditions_before: Facts = field(default_factory=dict)
    voided: int = 0
    cached: bool = False
    measured_at: str = ""
    audit: Facts | None = None


@dataclass(frozen=True)
class ProfileCheck:
    """Ratios to the float network of random policies, as the table predicts and as measured.

    `mape` is the mean absolute error as a share of the measured ratio, `spearman` the rank
    correlation.
    """

    predicted: tuple[float, ...]
    measured: tuple[float, ...]
    mape: float
    spearman: float


@dataclass(frozen=True)
class Profile:
    """Milliseconds of isolated layers by name and bits, of (producer, consumer) networks by their
    bits, and of the whole float network measured in the same call; `overhead_ms` is in all of them.

    `check` compares the table with whole networks, if that was asked for; `conditions`, `cached`
    and `measured_at` are as in `Latency`.
    """

    layers: Mapping[str, Mapping[int, float]]
    pairs: Mapping[tuple[str, str], Mapping[tuple[int, int], float]]
    reference_ms: float
    overhead_ms: float
    check: ProfileCheck | None = None
    conditions: Facts = field(default_factory=dict)
    cached: bool = False
    measured_at: str = ""


@dataclass(frozen=True)
class Holder:
    """Who has the board, and for how long unless it says that it is still there."""

    client: str
    expires_in_s: float


@dataclass(frozen=True)
class Status:
    """How the board is at the moment; `waiting` are the clients in its queue."""

    lease: Holder | None
    waiting: int
    running: bool
    conditions: Facts


@dataclass(frozen=True)
class LeaseState:
    """A place in the queue: `position` is 0 and `token` given where the board is held."""

    id: str
    state: Literal["held", "waiting"]
    position: int
    token: int | None


@dataclass(frozen=True)
class Logits:
    """The answer of `/v1/infer`: base64 of little-endian float32, and a SHA-256 for each policy."""

    shape: tuple[int, ...]
    logits: str
    checksums: tuple[str, ...]


read_device = TypeAdapter(Device).validate_python
read_status = TypeAdapter(Status).validate_python
read_lease = TypeAdapter(LeaseState).validate_python
read_logits = TypeAdapter(Logits).validate_python
_read_latencies = TypeAdapter(tuple[Latency, ...]).validate_python
_read_check = TypeAdapter(ProfileCheck | None).validate_python


def read_latencies(answer: Any) -> list[Latency]:
    """The answer of `/v1/measure`."""
    return list(_read_latencies(answer["latencies"]))


def read_profile(answer: Any) -> Profile:
    """The answer of `/v1/profile`."""
    layers, pairs = read_table(answer)
    return Profile(
        layers,
        pairs,
        answer["reference_ms"],
        answer["overhead_ms"],
        _read_check(answer.get("check")),
        answer.get("conditions", {}),
        answer.get("cached", False),
        answer.get("measured_at", ""),
    )


def profile_to_json(profile: Profile) -> dict[str, object]:
    """The table as the agent writes it; `read_profile` is the inverse."""
    return {
        **asdict(profile),
        "layers": {n: {str(b): ms for b, ms in t.items()} for n, t in profile.layers.items()},
        "pairs": [
            {"producer": a, "consumer": b, "ms": {f"{p},{q}": ms for (p, q), ms in t.items()}}
            for (a, b), t in profile.pairs.items()
        ],
    }
