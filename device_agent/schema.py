"""What travels between client and agent, field by field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from device_agent.models.networks import Record

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 as 64 lower-case hexadecimal digits."""
Bits = Literal[8, 16, 32]
Threshold = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Side = Annotated[int, Field(ge=1, le=8192)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Core = Annotated[int, Field(ge=0, lt=1024)]
CoreKind = Literal["big", "little"]


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


class Timing(Request):
    """How networks are timed.

    threads: ncnn's threads. cores: CPUs to stay on, or "big" or "little" where the board has two
    kinds; None leaves the choice to the system. clock: CPU time of the thread, or wall time; "auto"
    is CPU time for one thread and wall time for several.
    cool_to_c: wait before timing until the hottest sensor is no warmer; ignored without sensors.
    fresh: measure even if the same was measured before under the same conditions.
    seed: of the input, `numpy.random.default_rng(seed).uniform(-1, 1, input_shape)` in float32,
    and of the order.
    """

    threads: Annotated[int, Field(ge=1, le=64)] = 1
    cores: Annotated[list[Core], Field(min_length=1, max_length=1024)] | CoreKind | None = None
    clock: Literal["auto", "cpu", "wall"] = "auto"
    cool_to_c: Annotated[float, Field(ge=0, le=150)] | None = None
    fresh: bool = False
    seed: Seed = 0


class MeasureRequest(Timing):
    """Policies to be measured side by side.

    policies: layer name -> bits, every weighted layer named.
    rel_ci: stop when every 95 % interval is narrower than this share of its ratio.
    min_rounds, max_rounds, max_seconds: rounds before the first look, and the caps; loading the
    networks comes on top. A measurement has at least four rounds.
    audit: also check that the outputs while timing are those of an evaluation, and that the same
    input again is not faster than a new one.
    """

    network: Digest
    policies: Annotated[list[dict[str, Bits]], Field(min_length=1)]
    rel_ci: Annotated[float, Field(gt=0, lt=1)] = 0.01
    min_rounds: Annotated[int, Field(ge=4, le=10_000)] = 40
    max_rounds: Annotated[int, Field(ge=4, le=10_000)] = 1000
    max_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 120.0
    audit: bool = False

    @model_validator(mode="after")
    def check_rounds(self) -> MeasureRequest:
        """The caps must leave room for the least number of rounds."""
        if self.max_rounds < self.min_rounds:
            raise ValueError("max_rounds is less than min_rounds")
        return self


class Conditions(BaseModel):
    """The machine around a measurement; None where the system does not tell.

    governor, frequency_mhz, max_frequency_mhz: of the first CPU used. temperature_c: the hottest
    sensor. throttled: whether the board slowed its clock for heat or low voltage since it last
    said so. load_average: of the last minute. affinity: CPUs that could be used.
    """

    governor: str | None
    frequency_mhz: float | None
    max_frequency_mhz: float | None
    temperature_c: float | None
    throttled: bool | None
    load_average: float
    affinity: list[int]
    ncnn_version: str
    haq_version: str
    threads: int
    clock: Literal["thread_cpu", "wall"]


class Audit(BaseModel):
    """What an audit found.

    outputs_checked: outputs that were taken while timing; outputs_equal: whether each was that of
    the evaluation, bit by bit. repeat_ratio: time of the same input again to that of a new one,
    with its 95 % interval. passed: outputs equal, and the same input not faster by over 2 %.
    """

    outputs_checked: int
    outputs_equal: bool
    repeat_ratio: float
    repeat_low: float
    repeat_high: float
    passed: bool


class LatencyResult(BaseModel):
    """One policy's latency.

    ratio, ratio_low, ratio_high: median ratio to the float network, and its 95 % interval.
    latency_ms: ratio times the reference's median, reference_ms. mad_ms: median absolute deviation
    likewise. rounds: samples; voided: rounds thrown away because the reference drifted.
    noise: difference of the medians of even and odd rounds, share of the ratio.
    checksum: SHA-256 of the float32 output that the timed network gave.
    cached: whether this is an earlier answer; measured_at: when it was measured, ISO 8601 in UTC.
    conditions_before, conditions: the machine before and after.
    """

    ratio: float
    ratio_low: float
    ratio_high: float
    latency_ms: float
    mad_ms: float
    rounds: int
    voided: int
    noise: float
    checksum: str
    reference_ms: float
    conditions_before: Conditions
    conditions: Conditions
    cached: bool
    measured_at: str
    audit: Audit | None = None


class MeasureAnswer(BaseModel):
    """Latencies in the order of the policies; timed_s: seconds that timing took for this answer."""

    latencies: list[LatencyResult]
    timed_s: float


class ProfileRequest(Timing):
    """Layers to be timed alone and with their direct producers.

    layers: names, or None for all; a pair belongs to its consumer. bits: widths to try.
    rounds: samples of each small network.
    checks: random policies whose whole networks are measured beside the table's prediction; only
    for a table of all layers that has 32 bits.
    """

    network: Digest
    layers: list[str] | None = None
    bits: Annotated[list[Bits], Field(min_length=1)] = [8, 16, 32]
    rounds: Annotated[PositiveInt, Field(le=1000)] = 20
    checks: Annotated[int, Field(ge=0, le=64)] = 0


class PairLatency(BaseModel):
    """Milliseconds of producer and consumer as one network, by "producer bits,consumer bits"."""

    producer: str
    consumer: str
    ms: dict[str, float]


class ProfileCheck(BaseModel):
    """Ratios to the float network of random policies, as the table predicts and as measured.

    mape: mean absolute error of the prediction, share of the measured ratio. spearman: rank
    correlation.
    """

    predicted: list[float]
    measured: list[float]
    mape: float
    spearman: float


class ProfileAnswer(BaseModel):
    """layers: milliseconds by layer and bits; reference_ms: the whole float network, same call.

    Each number includes what calling a network costs by itself (overhead_ms, measured on an empty
    one), with input and output in float32.
    """

    reference_ms: float
    overhead_ms: float
    layers: dict[str, dict[str, float]]
    pairs: list[PairLatency]
    check: ProfileCheck | None = None
    conditions: Conditions
    cached: bool
    measured_at: str


class InferRequest(Request):
    """Images to be run through the networks of policies.

    images: digest of an uploaded file that holds them one behind another, each of the network's
    input shape, as uint8 or little-endian float32; the network sees `value / divisor - shift`,
    computed in float32 from uint8 only.
    workers: networks that run at the same time, each on one thread; None for one a core.
    """

    network: Digest
    policies: Annotated[list[dict[str, Bits]], Field(min_length=1)]
    images: Digest
    dtype: Literal["uint8", "float32"] = "uint8"
    divisor: Threshold = 127.5
    shift: Annotated[float, Field(allow_inf_nan=False)] = 1.0
    workers: Annotated[int, Field(ge=1, le=64)] | None = None


class InferAnswer(BaseModel):
    """logits: base64 of little-endian float32 of `shape`, (policies, images, classes), with height
    and width behind where every pixel has logits.

    checksums: SHA-256 of the logits of each policy. seconds: spent running the networks.
    """

    shape: tuple[int, ...]
    logits: str
    checksums: list[str]
    seconds: float
    ncnn_version: str


class LeaseRequest(Request):
    """Exclusive use of the board over several requests.

    client: who asks, for people to read. ttl_s: seconds without a heartbeat or a running job after
    which the lease is lost, held or waiting.
    """

    client: Annotated[str, Field(min_length=1, max_length=200)]
    ttl_s: Annotated[float, Field(ge=1, le=600)] = 60.0


class LeaseState(BaseModel):
    """A lease at this moment.

    id: for heartbeats and release. position: 0 when held. token: what jobs send as Haq-Lease,
    larger than every token before it; None while waiting. expires_in_s: the whole ttl_s while a job
    of the lease runs.
    """

    id: str
    state: Literal["held", "waiting"]
    position: int
    token: int | None
    ttl_s: float
    expires_in_s: float


class Holder(BaseModel):
    """Who has the board.

    expires_in_s: of a single request, which has the board to its end, the longest time of a job.
    """

    client: str
    expires_in_s: float


class Status(BaseModel):
    """The board at this moment: who has it, how many wait, whether a job runs."""

    lease: Holder | None
    waiting: int
    running: bool
    conditions: Conditions
