"""What travels between client and agent, field by field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from device_agent.networks import Record

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 as 64 lower-case hexadecimal digits."""
Bits = Literal[8, 16, 32]
Threshold = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1, le=8192)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Request(BaseModel):
    """A request; fields that are not known are refused, so that no typing error passes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Health(BaseModel):
    """The agent answers."""

    status: Literal["ok"] = "ok"


class Device(BaseModel):
    """The board and its ncnn.

    cpu: name of the processor or board. machine: as `uname -m`.
    instruction_sets: flags of /proc/cpuinfo that matter to ncnn, empty where unknown.
    memory_bytes: physical memory.
    arch, bits16, types16: what ncnn computes in 16 bits: the type, and the layer types that really
    have it; all others run in float32 whatever is asked.
    max_policies: policies in one measurement.
    """

    cpu: str
    machine: str
    instruction_sets: list[str]
    cores: int
    memory_bytes: int
    ncnn_version: str
    arch: Literal["x86", "arm"]
    bits16: Literal["none", "bf16", "fp16"]
    types16: list[str]
    max_policies: int


class StoredFile(BaseModel):
    """A file that is there."""

    sha256: str
    size_bytes: int


class NetworkRequest(Request):
    """A float network: digests of its uploaded files, activation thresholds, input shape.

    ranges: largest absolute input activation of each layer that may run at 8 bits.
    input_shape: (channels, height, width).
    """

    param: Digest
    bin: Digest
    ranges: dict[str, Threshold]
    input_shape: tuple[Side, Side, Side]

    def to_record(self) -> Record:
        """What is remembered."""
        return Record(self.param, self.bin, self.ranges, self.input_shape)


class NetworkId(BaseModel):
    """Content id of a registered network."""

    id: str


class MeasureRequest(Request):
    """Policies to be measured side by side.

    policies: layer name -> bits, every weighted layer named.
    rel_ci: stop when every 95 % interval is narrower than this share of its ratio.
    min_rounds, max_rounds, max_seconds: rounds before the first look, and the caps; loading the
    networks comes on top. A measurement has at least four rounds.
    threads: ncnn's threads; one is timed in CPU time, several in wall time.
    seed: of the input, `numpy.random.default_rng(seed).uniform(-1, 1, input_shape)` in float32,
    and of the order.
    """

    network: Digest
    policies: Annotated[list[dict[str, Bits]], Field(min_length=1)]
    rel_ci: Annotated[float, Field(gt=0, lt=1)] = 0.01
    min_rounds: Annotated[int, Field(ge=4, le=10_000)] = 20
    max_rounds: Annotated[int, Field(ge=4, le=10_000)] = 200
    max_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    seed: Seed = 0

    @model_validator(mode="after")
    def check_rounds(self) -> MeasureRequest:
        """The caps must leave room for the least number of rounds."""
        if self.max_rounds < self.min_rounds:
            raise ValueError("max_rounds is less than min_rounds")
        return self


class LatencyResult(BaseModel):
    """One policy's latency.

    ratio, ratio_low, ratio_high: median ratio to the float network, and its 95 % interval.
    latency_ms: ratio times the reference's median. mad_ms: median absolute deviation likewise.
    rounds: samples. noise: difference of the medians of even and odd rounds, share of the ratio.
    checksum: SHA-256 of the float32 output that the timed network gave.
    """

    ratio: float
    ratio_low: float
    ratio_high: float
    latency_ms: float
    mad_ms: float
    rounds: int
    noise: float
    checksum: str


class Conditions(BaseModel):
    """The machine at the end of the measurement; None where the system does not tell.

    load_average: of the last minute. affinity: CPUs that could be used.
    """

    governor: str | None
    frequency_mhz: float | None
    temperature_c: float | None
    load_average: float
    affinity: list[int]
    ncnn_version: str
    threads: int
    clock: Literal["thread_cpu", "wall"]


class MeasureAnswer(BaseModel):
    """Latencies in the order of the policies; reference_ms is the float network's median."""

    reference_ms: float
    latencies: list[LatencyResult]
    conditions: Conditions


class ProfileRequest(Request):
    """Layers to be timed alone and with their direct producers.

    layers: names, or None for all; a pair belongs to its consumer. bits: widths to try.
    rounds: samples of each small network. seed: as in a measurement.
    """

    network: Digest
    layers: list[str] | None = None
    bits: Annotated[list[Bits], Field(min_length=1)] = [8, 16, 32]
    rounds: Annotated[PositiveInt, Field(le=1000)] = 20
    seed: Seed = 0


class PairLatency(BaseModel):
    """Milliseconds of producer and consumer as one network, by "producer bits,consumer bits"."""

    producer: str
    consumer: str
    ms: dict[str, float]


class ProfileAnswer(BaseModel):
    """layers: milliseconds by layer and bits; reference_ms: the whole float network, same call.

    Each number includes what calling a network costs by itself (overhead_ms, measured on an empty
    one), with input and output in float32.
    """

    reference_ms: float
    overhead_ms: float
    layers: dict[str, dict[str, float]]
    pairs: list[PairLatency]
