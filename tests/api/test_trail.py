from __future__ import annotations

from api.service import Service
from api.trail import LONGEST, Trail
from tests.api.databases import database_at


def test_the_newest_come_first(store_url: str) -> None:
    with database_at(store_url) as database:
        trail = Trail(database)
        for number in range(3):
            trail.note("anna", "begin_search", f"/v1/{number}", 201)
        assert [line.target for line in trail.newest(2)] == ["/v1/2", "/v1/1"]
        (line,) = trail.newest(1)
        assert (line.key_name, line.action, line.status) == ("anna", "begin_search", 201)


def test_a_long_target_is_cut(store_url: str) -> None:
    with database_at(store_url) as database:
        trail = Trail(database)
        trail.note("anna", "begin_search", "x" * 1000, 201)
        assert trail.newest(1)[0].target == "x" * LONGEST


def test_every_name_of_a_route_fits(service: Service, store_url: str) -> None:
    from api.routes import ROUTERS

    names = [route.name for router in ROUTERS for route in router.routes]  # type: ignore[attr-defined]
    assert len(names) > 20
    assert max(map(len, names)) <= 40
