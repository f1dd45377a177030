"""A search of the service on a cluster of one node."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from api.asking import to_stored
from api.schema import SearchSpec
from api.service import Service
from api.settings import Settings
from api.workers.worker import Worker
from haq.parallel.cluster import connected
from haq.search.asked import Asked
from haq.store.trials import count_trials
from tests.haq.parallel.conftest import begun
from tests.haq.subjects import cropped, write_images, write_small_weights

ray = pytest.importorskip("ray", reason="Ray is not installed")

EPISODES = 4


def small_search(folder: Path) -> Asked:
    """On the small network, for size, of which a few policies are tried."""
    return Asked(
        weights=write_small_weights(folder / "weights.safetensors"),
        input_size=16,
        data=str(write_images(folder / "photos", cropped("test", 20))),
        budget=("size=0.5x",),
        bits="8,32",
        agent="random",
        quantizer="naive",
        observer="absmax",
        episodes=EPISODES,
    )


def test_its_policies_are_evaluated_there(
    service: Service, settings: Settings, tmp_path: Path
) -> None:
    spec = SearchSpec.model_validate({})
    made = service.jobs.add(to_stored(spec, small_search(tmp_path)), "operator")
    taken = service.jobs.claim("worker", 60)
    assert taken is not None
    with begun() as cluster:
        on_ray = settings.model_copy(update={"ray": cluster.address})
        Worker(service.jobs, on_ray, threading.Event()).carry_out(taken)
        with connected(cluster.address):
            seen = [event for event in ray.timeline() if event["cat"].endswith("Evaluator.see")]
    job = service.jobs.get(made.id)
    assert (job.state, job.error) == ("done", None)
    assert count_trials(service.database, [made.id]) == {made.id: EPISODES}
    assert len(seen) >= EPISODES
