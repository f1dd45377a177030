from pathlib import Path

import pytest

from device_agent.processes.tasks import TASKS, perform_task, read_timing
from device_agent.schema import InferRequest, MeasureRequest, ProfileRequest
from quant.errors import InputError
from quant.ncnn.runtime import capabilities

REQUESTS = {
    "measure": MeasureRequest(network="0" * 64, policies=[{"a": 8}]),
    "profile": ProfileRequest(network="0" * 64),
    "infer": InferRequest(network="0" * 64, policies=[{"a": 8}], images="1" * 64),
}


def test_describing_needs_no_network(tmp_path: Path) -> None:
    assert perform_task("describe", tmp_path, {})["bits16"] == capabilities().bits16


def test_every_request_has_its_task() -> None:
    assert set(TASKS) == set(REQUESTS)


@pytest.mark.parametrize("task", REQUESTS)
def test_tasks_take_what_requests_hold(task: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no network"):
        perform_task(task, tmp_path, REQUESTS[task].model_dump())


def test_timing_of_a_request() -> None:
    asked = {"threads": 2, "cores": "big", "clock": "wall", "cool_to_c": 55.0, "seed": 7}
    body = MeasureRequest.model_validate({"network": "0" * 64, "policies": [{"a": 8}], **asked})
    timing = read_timing(body.model_dump())
    assert (timing.threads, timing.cores, timing.clock) == (2, "big", "wall")
    assert (timing.cool_to_c, timing.seed) == (55.0, 7)
