"""What a child of the agent can do: each task a function of its JSON arguments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from device_agent.measuring.blocks import Stopping
from device_agent.measuring.device import describe
from device_agent.measuring.infer import infer
from device_agent.measuring.measure import measure
from device_agent.measuring.profile import profile
from device_agent.measuring.timing import Timing
from device_agent.models.networks import Networks

Arguments = Mapping[str, Any]


def perform_task(task: str, data_dir: Path, arguments: Arguments) -> dict[str, Any]:
    """The result of a task. Raises HaqError."""
    if task == "describe":
        return describe()
    return TASKS[task](Networks(data_dir), arguments)


def measure_task(networks: Networks, arguments: Arguments) -> dict[str, Any]:
    """The arguments of `schema.MeasureRequest`."""
    limits = ("rel_ci", "min_rounds", "max_rounds", "max_seconds")
    return measure(
        networks.load(arguments["network"]),
        arguments["policies"],
        Stopping(**{name: arguments[name] for name in limits}),
        read_timing(arguments),
        arguments["audit"],
    )


def profile_task(networks: Networks, arguments: Arguments) -> dict[str, Any]:
    """The arguments of `schema.ProfileRequest`."""
    own = ("layers", "bits", "rounds", "checks")
    network = networks.load(arguments["network"])
    return profile(network, **{n: arguments[n] for n in own}, timing=read_timing(arguments))


def infer_task(networks: Networks, arguments: Arguments) -> dict[str, Any]:
    """The arguments of `schema.InferRequest`."""
    own = ("policies", "dtype", "divisor", "shift")
    return infer(
        networks.load(arguments["network"]),
        images_file=networks.files.path(arguments["images"]),
        workers=arguments["workers"] or len(os.sched_getaffinity(0)),
        **{name: arguments[name] for name in own},
    )


def read_timing(arguments: Arguments) -> Timing:
    """How to time, from a request."""
    names = ("threads", "cores", "clock", "cool_to_c", "seed")
    return Timing(**{name: arguments[name] for name in names})


TASKS: Mapping[str, Callable[[Networks, Arguments], dict[str, Any]]] = {
    "measure": measure_task,
    "profile": profile_task,
    "infer": infer_task,
}
