"""The web service: routes, and nothing but routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Request
from starlette.middleware import Middleware

from device_agent.agent import Agent
from device_agent.auth import BearerAuth
from device_agent.lifeline import exit_when_stdin_closes
from device_agent.limits import UPLOAD_PREFIX, BodyLimit
from device_agent.problems import add_handlers
from device_agent.schema import (
    Device,
    Health,
    MeasureAnswer,
    MeasureRequest,
    NetworkId,
    NetworkRequest,
    ProfileAnswer,
    ProfileRequest,
    StoredFile,
)
from device_agent.settings import Settings

router = APIRouter()
Digest = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
FILE_PATH = UPLOAD_PREFIX + "{digest}"


def create_app(settings: Settings) -> FastAPI:
    """The service with its middleware: who may come in, then how much they may bring."""
    limits = (settings.max_upload_bytes, settings.max_request_bytes)
    app = FastAPI(
        title="haq device agent",
        lifespan=lifespan,
        middleware=[
            Middleware(BearerAuth, settings.key),
            Middleware(BodyLimit, *limits),
        ],
    )
    app.state.agent = Agent(settings)
    app.include_router(router)
    add_handlers(app)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Prepare the data folder; tie the service to its parent where that is asked for."""
    agent: Agent = app.state.agent
    agent.networks.prepare()
    if agent.settings.exit_with_parent:
        exit_when_stdin_closes()
    yield


def get_agent(request: Request) -> Agent:
    """The agent of the running application."""
    agent: Agent = request.app.state.agent
    return agent


TheAgent = Annotated[Agent, Depends(get_agent)]


@router.get("/healthz")
async def healthz() -> Health:
    """Whether the service answers; needs no key. On the event loop, so that jobs waiting in the
    pool of threads cannot hold it up."""
    return Health()


@router.get("/v1/device")
def device(agent: TheAgent) -> Device:
    """What the board is and what its ncnn can do."""
    return agent.device


@router.put(FILE_PATH)
async def put_file(digest: Digest, request: Request, agent: TheAgent) -> StoredFile:
    """Keep the body, whose SHA-256 must be the name."""
    await agent.files.receive(digest, request.stream())
    return StoredFile(sha256=digest, size_bytes=agent.files.path(digest).stat().st_size)


@router.get(FILE_PATH)
@router.head(FILE_PATH, include_in_schema=False)
def get_file(digest: Digest, agent: TheAgent) -> StoredFile:
    """Whether a file is there: 200 or 404."""
    if not agent.files.has(digest):
        raise HTTPException(404, f"no file {digest} here")
    return StoredFile(sha256=digest, size_bytes=agent.files.path(digest).stat().st_size)


@router.post("/v1/networks")
def register_network(body: NetworkRequest, agent: TheAgent) -> NetworkId:
    """Check and remember a float network whose files were uploaded."""
    return NetworkId(id=agent.networks.register(body.to_record()))


@router.post("/v1/measure")
def measure(body: MeasureRequest, agent: TheAgent) -> MeasureAnswer:
    """Measure policies beside the float network; waits for its turn."""
    return agent.measure(body)


@router.post("/v1/profile")
def profile(body: ProfileRequest, agent: TheAgent) -> ProfileAnswer:
    """Time single layers and pairs of layers; waits for its turn."""
    return agent.profile(body)
