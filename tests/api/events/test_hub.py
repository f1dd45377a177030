from __future__ import annotations

import asyncio

from api.events.cursor import Cursor
from api.events.hub import Hub
from api.jobs import Jobs
from tests.api.databases import database_at
from tests.api.runs import made_up_trial, put_trials


def test_followers_share_a_feed_that_ends_with_the_last(store_url: str) -> None:
    with database_at(store_url) as database:
        jobs = Jobs(database)
        job = jobs.add({}, "anna")
        hub = Hub(jobs, database)

        async def check() -> None:
            async with hub.feed(job.id) as one, hub.feed(job.id) as other:
                assert one is other
                assert hub.followers == 2
            assert hub.followers == 0
            async with hub.feed(job.id) as later:
                assert later is not one
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1

        asyncio.run(check())


def test_a_feed_has_more_trials_than_are_read_at_once(store_url: str) -> None:
    with database_at(store_url) as database:
        jobs = Jobs(database)
        job = jobs.add({}, "anna")
        put_trials(database, job.id, (made_up_trial(n) for n in range(1, 520)))
        jobs.ask_to(job.id, "cancel")
        hub = Hub(jobs, database)

        async def all_of_it() -> list[str]:
            async with hub.feed(job.id) as feed:
                return [told.kind async for some in feed.follow(Cursor()) for told in some.events]

        kinds = asyncio.run(all_of_it())
        assert kinds.count("trial") == 519
        assert kinds[-2:] == ["state", "end"]
