"""From a search as it came over the wire to one that is known to make sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from api.access.keys import Key
from api.errors import LimitError
from api.files.models import ARCHITECTURES
from api.schema import SearchChanges, SearchSpec
from api.service import Service
from haq import boards
from haq.search.asked import Asked, make_request


def resolve(service: Service, spec: SearchSpec) -> Asked:
    """The same with paths for names; every name is one that the operator knows.

    Raises UnknownError, ForbiddenError, and InputError where bits, budgets and agent do not fit.
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
    make_request(asked)
    return asked


def network(service: Service, name: str) -> dict[str, Any]:
    """The packaged network, or an uploaded one. Raises UnknownError."""
    if name in ARCHITECTURES:
        return {"model": name}
    found = service.models.get(name)
    return {
        "model": found.architecture,
        "weights": service.models.path(found.sha256),
        "input_size": found.input_size,
        "padding": found.padding,
    }


def check_room(service: Service, key: Key) -> None:
    """Raise LimitError where a key has as many unfinished searches as it may."""
    most = key.max_searches or service.settings.max_searches
    if service.jobs.unfinished_of(key.name) >= most:
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
    """A copy with other values for those fields that were given."""
    return SearchSpec.model_validate(
        {**spec.model_dump(), **changes.model_dump(exclude_unset=True)}
    )
