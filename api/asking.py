"""From a search as it came over the wire to one that is known to make sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import ValidationError

from api.access.keys import Key
from api.errors import LimitError
from api.schema import SearchChanges, SearchSpec
from api.service import Service
from api.workers.reach import check_reach
from haq import boards
from haq.names import MODEL_FILES, NETWORKS
from haq.search.asked import Asked, make_request
from quant.errors import InputError


def resolve(service: Service, spec: SearchSpec) -> Asked:
    """The same with paths for names; every name is one that the operator knows.

    Raises UnknownError, ForbiddenError, and InputError where bits, budgets and agent do not fit, or
    a budget that needs no measuring is out of reach.
    """
    listed = boards.load(service.settings.boards_file)
    for name in spec.boards:
        boards.find(listed, name)
    plain = spec.model_dump(exclude={"model", "data", "calibration", "budgets", "boards"})
    calibration = spec.calibration and service.datasets.source(spec.calibration)
    asked = Asked(
        **plain,
        **network(service, spec.model),
        data=service.datasets.source(spec.data),
        calibration=calibration,
        budget=spec.budgets,
    )
    if make_request(asked).sweep is not None:
        raise InputError(
            "a budget has one bound here: begin a search for each, they share their scores"
        )
    check_reach(asked)
    return asked


def network(service: Service, name: str) -> dict[str, Any]:
    """A network of haq's own with the weights at hand, or an uploaded one. Raises UnknownError."""
    if name in NETWORKS:
        return {"model": name}
    found = service.models.get(name)
    path = service.models.path(found.sha256, found.architecture)
    if found.architecture in MODEL_FILES:
        return {"model": str(path)}
    return {
        "model": found.architecture,
        "weights": path,
        "input_size": found.input_size,
        "padding": found.padding,
    }


def check_room(service: Service, key: Key, job_id: str | None) -> None:
    """Raise LimitError where a key has as many unfinished searches as it may.

    `job_id` is that of the new one where it is known: it may have been made already.
    """
    most = key.max_searches or service.settings.max_searches
    if service.jobs.unfinished_of(key.name, job_id) >= most:
        raise LimitError(f"this key has {most} unfinished searches: wait, or cancel one")


def to_stored(spec: SearchSpec, asked: Asked) -> dict[str, Any]:
    """What a job keeps: the search as it came, and as it is carried out."""
    paths = {name: None if v is None else str(v) for name, v in paths_of(asked).items()}
    return {
        "spec": spec.model_dump(mode="json"),
        "asked": {**asdict(asked), **paths, "budget": list(asked.budget)},
        "boards": list(spec.boards),
    }


def paths_of(asked: Asked) -> Mapping[str, Any]:
    """Its fields that are paths."""
    return {name: getattr(asked, name) for name in ("weights", "table", "energy_table")}


def changed(spec: SearchSpec, changes: SearchChanges) -> SearchSpec:
    """A copy with other values for those fields that were given. Raises InputError."""
    given = changes.model_dump(exclude_unset=True)
    try:
        return SearchSpec.model_validate({**spec.model_dump(), **given})
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors()]
        raise InputError("; ".join(faults)) from None
