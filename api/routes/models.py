"""Networks that users bring."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool

from api.routes._changing import ChangingRoute
from api.routes._common import Repeatable, TheKey, TheService
from api.schema import Model, Models
from api.workers.check import check_weights
from haq.digest import from_header
from haq.names import ModelFile, NetworkName, Padding
from quant.errors import InputError

PATH = "/v1/models"
router = APIRouter(prefix=PATH, tags=["models"], route_class=ChangingRoute)
ModelName = Annotated[str, Query(pattern=r"^[a-z0-9][a-z0-9._-]{0,79}$")]


@router.get("")
def list_models(service: TheService) -> Models:
    """All that were uploaded."""
    return Models(models=service.models.all())


@router.post(
    "",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}
            },
        }
    },
)
async def upload_model(
    request: Request,
    service: TheService,
    key: TheKey,
    name: ModelName,
    architecture: Literal[NetworkName, ModelFile] = "mbv2",
    input_size: Annotated[int | None, Query(ge=16, le=1024)] = None,
    padding: Padding | None = None,
    repr_digest: Annotated[str | None, Header(description="sha-256=:BASE64:")] = None,
    once: Repeatable = None,
) -> Model:
    """Keep a network, once it is seen that it can be read: code of any kind is refused.

    Of a named architecture it is a safetensors file with its published key names; else an ONNX
    file, or one of torch.export.save (pt2).
    """
    expected = None if repr_digest is None else from_header(repr_digest)
    if repr_digest is not None and expected is None:
        raise InputError("Repr-Digest is expected as sha-256=:BASE64:")
    check = partial(
        check_weights, architecture=architecture, input_size=input_size, padding=padding
    )
    path, found = await service.models.receive(request.stream(), architecture, expected, check)
    declared = {"name": name, "architecture": architecture, **found}
    return await run_in_threadpool(service.models.add, declared, path, key.name)
