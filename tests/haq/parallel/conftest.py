"""Ray clusters of several nodes on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
STORE_BYTES = 100 * 2**20
QUICK = {
    "health_check_initial_delay_ms": 1000,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 5000,
    "health_check_failure_threshold": 2,
}
"""Lost nodes are noticed sooner than by default."""


def node(**more: Any) -> dict[str, Any]:
    """Arguments of a node with one core."""
    return {"num_cpus": 1, "object_store_memory": STORE_BYTES, **more}


@contextmanager
def begun() -> Iterator[Any]:
    """A cluster of a head alone, whose processes find the tests."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        found: Any = Cluster(
            initialize_head=True, head_node_args=node(include_dashboard=False, _system_config=QUICK)
        )
        yield found
        found.shutdown()


@pytest.fixture(scope="package")
def begun_cluster() -> Iterator[Any]:
    """A cluster of a head, for all tests here; they remove the nodes that they add."""
    with begun() as found:
        yield found


@pytest.fixture(scope="module")
def two_nodes(begun_cluster: Any) -> Iterator[None]:
    """This process on a cluster of two nodes, which stay."""
    from haq.parallel.cluster import connected

    with added(begun_cluster), connected(begun_cluster.address):
        yield


@contextmanager
def added(cluster: Any, **more: Any) -> Iterator[Any]:
    """A node of a cluster for a while; it may be removed before."""
    found = cluster.add_node(**node(**more))
    try:
        yield found
    finally:
        if found in cluster.worker_nodes:
            cluster.remove_node(found)
        cluster.wait_for_nodes()
