from __future__ import annotations

from api.noise import add_noise
from api.schema import Board
from api.service import Service
from haq import boards
from haq.store.schema import MEASUREMENTS, RUNS
from tests.api.runs import put_search

EARLY, LATE = "2026-11-01T10:00:00+00:00", "2026-11-01T11:00:00+00:00"


def put_latencies(service: Service, job_id: str, *latencies: tuple[str, float]) -> None:
    service.database.write((RUNS.insert(), [{"id": job_id, "settings": {}}]))
    rows = [
        {
            **{"run_id": job_id, "kind": "latency/trial", "key": str(place)},
            "data": {"measured_at": at, "noise": noise},
        }
        for place, (at, noise) in enumerate(latencies)
    ]
    service.database.write((MEASUREMENTS.insert(), rows))


def test_a_boards_noise_is_that_of_its_searches_by_batch(service: Service) -> None:
    mine, other = "pi4", "pi5"
    listed = boards.ListedBoard(url="http://127.0.0.1:9", address="127.0.0.1", key_env=None)
    boards.save(service.settings.boards_file, dict.fromkeys((mine, other), listed))
    of_mine = put_search(service, data="sample", boards=[mine])
    of_both = put_search(service, data="sample", boards=[mine, other])
    put_latencies(service, of_mine.id, (LATE, 0.01), (LATE, 0.03), (LATE, 0.02), (EARLY, 0.05))
    put_latencies(service, of_both.id, (LATE, 0.5))
    found = [Board(name=name, url=listed.url, reachable=False) for name in (mine, other)]
    first, second = add_noise(found, service.jobs, service.database)
    assert [(one.measured_at.hour, one.noise) for one in first.noise] == [(10, 0.05), (11, 0.02)]
    assert second.noise == []
