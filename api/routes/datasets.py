"""Folders of images."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes._changing import ChangingRoute
from api.routes._common import Repeatable, TheKey, TheService
from api.schema import Dataset, Datasets, NewDataset

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], route_class=ChangingRoute)


@router.get("")
def list_datasets(service: TheService) -> Datasets:
    """All that were registered; `sample` is there without."""
    return Datasets(datasets=service.datasets.all())


@router.post("", status_code=201)
def register_dataset(
    body: NewDataset, service: TheService, key: TheKey, once: Repeatable = None
) -> Dataset:
    """Give a folder of the server a name; it lies below a root that the operator allows."""
    return service.datasets.add(body.name, body.path, key.name)
