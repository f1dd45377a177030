"""What goes over the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.access.roles import Role
from api.jobs.job import State
from haq.names import (
    AgentName,
    MetricName,
    QuantizerName,
    RewardKind,
    StartName,
    usual_search_data,
)
from haq.search.asked import Asked
from quant.observers import Method

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$", examples=["faces"])]
BoardName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$", examples=["pi5"])]
Source = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,79}(:[0-9]{1,9}-[0-9]{1,9})?$",
        examples=["sample", "faces:0-999"],
    ),
]
"""A data set's name, perhaps with rows from first to last."""
Budget = Annotated[str, Field(max_length=40, examples=["latency=0.9x", "size=1.5MB"])]
DEFAULT = Asked()


class Strict(BaseModel):
    """Unknown fields are refused, so that a typing error does not pass for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchSpec(Strict):
    """A search as it is asked for; each field as the option of `haq search` of that name."""

    model: Name = Field(
        "mbv2",
        description="a network of haq models with the weights at hand, or an uploaded model",
    )
    data: Source = Field(
        "sample",
        description="sample, faces, or a registered data set; mbv2_seg has faces and lite0 "
        "sample:0-499 where none is named",
    )
    calibration: Source | None = Field(None, description="images for activation ranges")
    budgets: tuple[Budget, ...] = Field(
        (), max_length=4, description="one of each kind: latency, size, bops, energy"
    )
    bits: str = Field(DEFAULT.bits, max_length=40, examples=["8,16,32", "2-8"])
    agent: AgentName = DEFAULT.agent
    start: StartName | None = None
    reward: RewardKind | None = None
    metric: MetricName | None = Field(
        None, description="shown beside top-1 and KL; for networks of pixels f1 unless given"
    )
    quantizer: QuantizerName = DEFAULT.quantizer
    observer: Method = DEFAULT.observer
    equalize: bool = DEFAULT.equalize
    episodes: int = Field(DEFAULT.episodes, ge=1, le=100_000)
    parallel: int = Field(DEFAULT.parallel, ge=1, le=256)
    seed: int = Field(DEFAULT.seed, ge=0, lt=2**31)
    threads: int = Field(DEFAULT.threads, ge=1, le=64)
    boards: tuple[BoardName, ...] = Field(
        (), max_length=16, description="boards of one kind; none: the worker's own machine"
    )

    @model_validator(mode="before")
    @classmethod
    def name_data(cls, given: Any) -> Any:
        """Where none is named, the images that `haq search` takes for the network."""
        model = given.get("model") if isinstance(given, dict) else None
        if not isinstance(model, str) or "data" in given:
            return given
        return {**given, "data": usual_search_data(model, weights_given=False, input_size=None)}


class SearchChanges(Strict):
    """What a clone is to have otherwise; what is left out stays as it is."""

    model: Name | None = None
    data: Source | None = None
    calibration: Source | None = None
    budgets: tuple[Budget, ...] | None = None
    bits: str | None = Field(None, max_length=40)
    agent: AgentName | None = None
    start: StartName | None = None
    reward: RewardKind | None = None
    metric: MetricName | None = None
    quantizer: QuantizerName | None = None
    observer: Method | None = None
    equalize: bool | None = None
    episodes: int | None = Field(None, ge=1, le=100_000)
    parallel: int | None = Field(None, ge=1, le=256)
    seed: int | None = Field(None, ge=0, lt=2**31)
    threads: int | None = Field(None, ge=1, le=64)
    boards: tuple[BoardName, ...] | None = None


class Event(BaseModel):
    """A state that a search entered."""

    state: State
    at: float = Field(description="seconds since 1970")
    note: str


class Progress(BaseModel):
    """The stage that a search is in."""

    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    eta_s: float | None = Field(None, description="seconds until the stage ends, as it looks now")


class Search(BaseModel):
    """A search and how it is."""

    id: str
    state: State
    spec: SearchSpec
    progress: Progress
    trials: int
    best_kl: float | None = Field(None, description="least divergence among the trials so far")
    history: list[Event]
    error: str | None
    created_by: str
    created_at: float
    finished_at: float | None
    attempts: int = Field(description="how often a worker took it")


class SearchPage(BaseModel):
    """Searches, the newest first."""

    searches: list[Search]
    next: str | None = Field(description="give it as `before` to see older ones")


class Measured(BaseModel):
    """The value of a metric."""

    name: str
    value: float


class Trial(BaseModel):
    """One policy that was tried; it has a metric where that is another one than top-1."""

    model_config = ConfigDict(extra="allow")

    episode: int
    origin: str
    top1: float
    kl: float
    metric: Measured | None = None
    reward: float | None
    cost: float
    latency_ratio: float | None
    latency_ms: float | None
    policy: dict[str, Any] | None = None


class TrialPage(BaseModel):
    """Trials in the order that was asked for."""

    trials: list[Trial]
    total: int = Field(description="of those that pass the filters")
    next: int | None = Field(description="give it as `offset` to see more")


class Point(BaseModel):
    """A place of cost and divergence."""

    name: str = Field(description="trial 12, found, float, or uniform 8")
    kl: float
    cost: float = Field(description="ratio to the float network where it is one, else as counted")
    top1: float | None
    metric: Measured | None = None
    episode: int | None


class Pareto(BaseModel):
    """Trials that no other trial beats in both, and the policies to hold them against."""

    cost: str = Field(description="what cost is", examples=["latency", "size"])
    bound: float | None
    front: list[Point]
    marks: list[Point]


class Artifact(BaseModel):
    """A file of a search."""

    name: str
    size_bytes: int
    sha256: str


class Artifacts(BaseModel):
    """All files there are by now."""

    artifacts: list[Artifact]


class Model(BaseModel):
    """An uploaded network; its architecture is onnx or pt2 where the file says it."""

    id: str
    name: str
    architecture: str
    sha256: str
    size_bytes: int
    input_size: int
    padding: Literal["torch", "same"]
    created_by: str
    created_at: float


class Models(BaseModel):
    """All uploaded ones."""

    models: list[Model]


class NewDataset(Strict):
    """A folder of images below one of the operator's roots."""

    name: Name
    path: str = Field(min_length=1, max_length=4000, examples=["/data/faces"])


class Dataset(BaseModel):
    """A registered folder."""

    name: str
    path: str
    created_by: str
    created_at: float


class Datasets(BaseModel):
    """All registered ones."""

    datasets: list[Dataset]


class NewBoard(Strict):
    """A board on a host that the operator allows."""

    name: BoardName
    url: str = Field(max_length=400, examples=["http://pi5.lan:8100"])
    key_env: str | None = Field(
        None,
        pattern=r"^HAQ_BOARD_KEY_[A-Z0-9_]{1,60}$",
        description="variable of the service and its workers that holds the board's key",
    )


class Noise(BaseModel):
    """Of a batch: the share of its ratios by which halves of the rounds differ, the median of its
    policies."""

    measured_at: datetime
    noise: float


class Board(BaseModel):
    """A listed board, what it answers now, and the noise of what it measured for searches that had
    it alone."""

    name: str
    url: str
    reachable: bool
    problem: str | None = None
    device: dict[str, Any] | None = None
    status: dict[str, Any] | None = None
    noise: list[Noise] = []


class Boards(BaseModel):
    """All listed ones."""

    boards: list[Board]


class NewKey(Strict):
    """A key to be made."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["anna"])
    role: Role
    per_minute: int | None = Field(None, ge=1, le=1_000_000)
    max_searches: int | None = Field(None, ge=1, le=100_000)


class KeyInfo(BaseModel):
    """A key without its secret."""

    name: str
    role: Role
    per_minute: int | None
    max_searches: int | None
    created_at: float


class MadeKey(KeyInfo):
    """A new key: its secret is shown this once."""

    secret: str | None = Field(description="null in the answer to a repeated request")


class KeyList(BaseModel):
    """All keys in force."""

    keys: list[KeyInfo]


class AuditLine(BaseModel):
    """Somebody changed something."""

    number: int
    at: float
    key_name: str
    action: str
    target: str
    status: int


class Audit(BaseModel):
    """The newest changes first."""

    lines: list[AuditLine]


class Health(BaseModel):
    """The service answers."""

    status: Literal["ok"] = "ok"


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
