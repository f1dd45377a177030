"""The real service on a socket of this machine, without workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.app import create_app
from api.jobs import Job
from api.service import Service
from api.settings import Settings
from haq.client import Client
from tests.api.runs import made_up_trial, put_trials
from tests.device_agent.server import in_thread


@dataclass(frozen=True)
class Served:
    """Where it answers, and what stands behind that."""

    url: str
    service: Service

    def client(self, key: str | None = None, **options: Any) -> Client:
        return Client(self.url, key, **options)

    def take(self) -> Job:
        """The search that waits longest, as a worker takes it."""
        job = self.service.jobs.claim("worker", 60)
        assert job is not None
        return job

    def put_trials(self, search_id: str, *numbers: int) -> None:
        records = [made_up_trial(number) for number in numbers]
        put_trials(self.service.database, search_id, records)

    def put_file(self, search_id: str, name: str, data: bytes) -> Path:
        """A file in the run folder of a search."""
        folder = self.service.settings.runs_dir / search_id
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_bytes(data)
        return path


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Served]:
    """The service for the time of a block; everybody on this machine may do everything."""
    plenty = {"per_minute": 1_000_000, "max_searches": 10_000}
    app = create_app(Settings(data_dir=folder / "data", workers=0, **{**plenty, **settings}))
    with in_thread(app, timeout_graceful_shutdown=1) as port:
        yield Served(f"http://127.0.0.1:{port}", app.state.service)
    app.state.service.database.close()
