"""One search, and what may become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from api.errors import ConflictError

State = Literal["queued", "running", "paused", "cancelled", "done", "failed"]
Wanted = Literal["run", "pause", "cancel"]
"""What somebody asked for; the worker that has the search sees to it."""
ENDED: frozenset[State] = frozenset({"cancelled", "done", "failed"})
STOPPED: Mapping[Wanted, State] = {"run": "queued", "pause": "paused", "cancel": "cancelled"}
"""What a search is when its process has been stopped for what is wanted."""


@dataclass(frozen=True)
class Job:
    """A row of `jobs`.

    `token` counts the times that a worker took it: who holds an older one is refused. `history` are
    its states in order, each with a time and a note. `version` grows with every change but those of
    `progress` and the lease.
    """

    id: str
    spec: Mapping[str, Any]
    created_by: str
    created_at: float
    state: State = "queued"
    wanted: Wanted = "run"
    version: int = 0
    token: int = 0
    owner: str | None = None
    lease_until: float | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    error: str | None = None
    finished_at: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.state in ENDED

    def is_free(self, now: float) -> bool:
        """Whether a worker may take it: it waits, or its worker has fallen silent."""
        if self.state == "queued":
            return True
        return self.state == "running" and self.lease_until is not None and self.lease_until < now


def entered(job: Job, state: State, now: float, note: str = "") -> Job:
    """In another state; an ended one has no owner any more."""
    event = {"state": state, "at": now, "note": note}
    held = state == "running"
    return replace(
        job,
        state=state,
        history=(*job.history, event),
        owner=job.owner if held else None,
        lease_until=job.lease_until if held else None,
        finished_at=now if state in ENDED else None,
    )


def taken(job: Job, owner: str, lease_until: float, now: float) -> Job:
    """With a worker that has not had it, or has it anew.

    A search whose last worker fell silent before it saw to what was wanted is stopped instead.
    """
    if job.wanted != "run":
        return stopped(job, now)
    held = replace(job, owner=owner, lease_until=lease_until, token=job.token + 1)
    note = f"taken up again by {owner}" if job.token else f"begun by {owner}"
    return entered(held, "running", now, note)


def stopped(job: Job, now: float, note: str = "") -> Job:
    """Its process is stopped: queued, paused or cancelled, as is wanted."""
    return entered(job, STOPPED[job.wanted], now, note)


def asked_to(job: Job, wanted: Wanted, now: float) -> Job:
    """Somebody wants it to go on, to pause or to end.

    What is asked for twice happens once. Raises ConflictError for one that has ended.
    """
    if job.has_ended and not (wanted == "cancel" and job.state == "cancelled"):
        raise ConflictError(f"the search is {job.state}: it cannot {wanted} any more")
    if job.has_ended or job.wanted == wanted:
        return job
    changed = replace(job, wanted=wanted)
    return changed if job.state == "running" else stopped(changed, now)
