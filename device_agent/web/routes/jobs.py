"""What the board is for: measuring, profiling, running images. Every job waits for its turn."""

from __future__ import annotations

from fastapi import APIRouter, Response

from device_agent.schema import (
    InferAnswer,
    InferRequest,
    MeasureAnswer,
    MeasureRequest,
    ProfileAnswer,
    ProfileRequest,
)
from device_agent.web.routes._agent import TheAgent
from device_agent.web.routes._job import TheJobCall

router = APIRouter()


@router.post("/v1/measure", response_model=MeasureAnswer)
async def measure(body: MeasureRequest, agent: TheAgent, call: TheJobCall) -> Response:
    """Measure policies beside the float network."""
    return await call.answer(body, agent.measure)


@router.post("/v1/profile", response_model=ProfileAnswer)
async def profile(body: ProfileRequest, agent: TheAgent, call: TheJobCall) -> Response:
    """Time single layers and pairs of layers."""
    return await call.answer(body, agent.profile)


@router.post("/v1/infer", response_model=InferAnswer)
async def infer(body: InferRequest, agent: TheAgent, call: TheJobCall) -> Response:
    """Logits of images under policies."""
    return await call.answer(body, agent.infer)
