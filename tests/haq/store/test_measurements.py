from __future__ import annotations

from contextlib import closing

from haq.store.database import Database
from haq.store.measurements import latencies_of_runs
from haq.store.schema import MEASUREMENTS, RUNS

ONE, OTHER = "1" * 32, "2" * 32


def test_latencies_come_last_measured_first_and_nothing_else_does(store_url: str) -> None:
    with closing(Database(store_url)) as database:
        database.write((RUNS.insert(), [{"id": run, "settings": {}} for run in (ONE, OTHER)]))
        found = [
            (ONE, "latency/trial", "a", {"measured_at": "2026-01-01T10:00:00+00:00"}),
            (ONE, "latency/final", "a", {"measured_at": "2026-01-02T09:00:00+00:00"}),
            (OTHER, "latency/trial", "a", {"measured_at": "2026-01-01T11:00:00+00:00"}),
            (ONE, "profile", "a", {"measured_at": "2026-01-03T00:00:00+00:00"}),
        ]
        rows = [dict(zip(("run_id", "kind", "key", "data"), row, strict=True)) for row in found]
        database.write((MEASUREMENTS.insert(), rows))
        of_both = latencies_of_runs(database, [ONE, OTHER])
        assert [latency["measured_at"][:13] for latency in of_both] == [
            "2026-01-02T09",
            "2026-01-01T11",
            "2026-01-01T10",
        ]
        assert latencies_of_runs(database, [ONE, OTHER], 1) == of_both[:1]
        assert latencies_of_runs(database, []) == []
