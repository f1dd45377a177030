"""What the service answers, as plain data; readers raise ValueError for anything else.

Fields that a newer service has besides are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import TypeAdapter

from haq.client.spec import SearchSpec
from haq.names import Padding

State = Literal["queued", "running", "paused", "cancelled", "done", "failed"]
Role = Literal["read", "run", "admin"]
Facts = Mapping[str, Any]
"""Values by name, as the service gives them."""


@dataclass(frozen=True)
class Event:
    """What happened in a search; `kind` is state, trial, progress or end.

    `id` is what `since` takes to go on behind it; progress, which is not told again, has none.
    """

    kind: str
    data: Facts
    id: str | None = None


@dataclass(frozen=True)
class Entered:
    """A state that a search entered, in seconds since 1970, and why."""

    state: State
    at: float
    note: str = ""


@dataclass(frozen=True)
class Progress:
    """The stage that a search is in; `eta_s` is how long it will take, as it looks now."""

    stage: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    eta_s: float | None = None


@dataclass(frozen=True)
class Search:
    """A search and how it is; times are seconds since 1970.

    `best_kl` is the least divergence among its `trials` so far, and `attempts` how often a worker
    took it.
    """

    id: str
    state: State
    spec: SearchSpec
    progress: Progress
    trials: int
    best_kl: float | None
    history: tuple[Entered, ...]
    error: str | None
    created_by: str
    created_at: float
    finished_at: float | None
    attempts: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in {"cancelled", "done", "failed"}


@dataclass(frozen=True)
class SearchPage:
    """Searches, the newest first; `next` is where older ones are."""

    searches: tuple[Search, ...]
    next: str | None


@dataclass(frozen=True)
class Measured:
    """The value of a metric."""

    name: str
    value: float


@dataclass(frozen=True)
class Trial:
    """One policy that was tried; `policy` is None where it was not asked for.

    `metric` is there where another one than top-1 judges the search.
    """

    episode: int
    origin: str
    top1: float
    kl: float
    reward: float | None
    cost: float
    latency_ratio: float | None
    latency_ms: float | None
    policy: Facts | None = None
    metric: Measured | None = None


@dataclass(frozen=True)
class TrialPage:
    """Trials in the order that was asked for, and how many there are in all."""

    trials: tuple[Trial, ...]
    total: int
    next: int | None


@dataclass(frozen=True)
class Point:
    """A place of cost and divergence: a trial, what was found, or a uniform policy."""

    name: str
    kl: float
    cost: float
    top1: float | None
    episode: int | None
    metric: Measured | None = None


@dataclass(frozen=True)
class Pareto:
    """Trials that no other one beats in both, and the policies to hold them against."""

    cost: str
    bound: float | None
    front: tuple[Point, ...]
    marks: tuple[Point, ...]


@dataclass(frozen=True)
class Artifact:
    """A file of a search."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Model:
    """An uploaded network; its architecture is onnx or pt2 where the file says it."""

    id: str
    name: str
    architecture: str
    sha256: str
    size_bytes: int
    input_size: int
    padding: Padding
    created_by: str
    created_at: float


@dataclass(frozen=True)
class Dataset:
    """A registered folder of images on the server."""

    name: str
    path: str
    created_by: str
    created_at: float


@dataclass(frozen=True)
class Noise:
    """By what share halves of the rounds differed in a batch, the median of its policies;
    `measured_at` is ISO 8601, UTC."""

    measured_at: str
    noise: float


@dataclass(frozen=True)
class Board:
    """A board that the server knows, what it answers now, and the noise of what searches that had
    it alone measured there; `problem` says why it does not answer."""

    name: str
    url: str
    reachable: bool
    problem: str | None = None
    device: Facts | None = None
    status: Facts | None = None
    noise: tuple[Noise, ...] = ()


@dataclass(frozen=True)
class Key:
    """Who may use the service; None stands for the service's own limits."""

    name: str
    role: Role
    per_minute: int | None
    max_searches: int | None
    created_at: float


@dataclass(frozen=True)
class MadeKey(Key):
    """A new key with its secret, which is never shown again."""

    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AuditLine:
    """Somebody changed something."""

    number: int
    at: float
    key_name: str
    action: str
    target: str
    status: int


read_search = TypeAdapter(Search).validate_python
read_searches = TypeAdapter(SearchPage).validate_python
read_trial = TypeAdapter(Trial).validate_python
read_trials = TypeAdapter(TrialPage).validate_python
read_pareto = TypeAdapter(Pareto).validate_python
read_model = TypeAdapter(Model).validate_python
read_dataset = TypeAdapter(Dataset).validate_python
read_board = TypeAdapter(Board).validate_python
read_made_key = TypeAdapter(MadeKey).validate_python
_artifacts = TypeAdapter(tuple[Artifact, ...]).validate_python
_models = TypeAdapter(tuple[Model, ...]).validate_python
_datasets = TypeAdapter(tuple[Dataset, ...]).validate_python
_boards = TypeAdapter(tuple[Board, ...]).validate_python
_keys = TypeAdapter(tuple[Key, ...]).validate_python
_audit = TypeAdapter(tuple[AuditLine, ...]).validate_python


def read_artifacts(answer: Any) -> tuple[Artifact, ...]:
    """All files that there are by now."""
    return _artifacts(answer["artifacts"])


def read_models(answer: Any) -> tuple[Model, ...]:
    """All uploaded ones."""
    return _models(answer["models"])


def read_datasets(answer: Any) -> tuple[Dataset, ...]:
    """All registered ones."""
    return _datasets(answer["datasets"])


def read_boards(answer: Any) -> tuple[Board, ...]:
    """All that the server knows."""
    return _boards(answer["boards"])


def read_keys(answer: Any) -> tuple[Key, ...]:
    """All keys in force."""
    return _keys(answer["keys"])


def read_audit(answer: Any) -> tuple[AuditLine, ...]:
    """The newest changes first."""
    return _audit(answer["lines"])
