from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from starlette.types import Message

from device_agent.processes.jobs import StoppingError
from device_agent.settings import Settings
from device_agent.web.lifespan import shorten
from device_agent.web.service import create_app
from quant.errors import InputError


def test_only_the_text_of_an_input_error_is_left() -> None:
    text = "Traceback (most recent call last):\n  File x\nquant.errors.InputError: no room: here\n"
    assert shorten(text) == "no room: here"
    other = text.replace("InputError", "BoardError")
    assert shorten(other) == other


def test_a_start_that_fails_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "networks").touch()
    app = create_app(Settings(key=SecretStr("x"), data_dir=tmp_path))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        sent.append(message)

    with pytest.raises(InputError):
        asyncio.run(app({"type": "lifespan", "app": app, "state": {}}, receive, send))
    (failed,) = sent
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"].startswith(f"the data folder {tmp_path} cannot be used: ")
    assert "\n" not in failed["message"]


def test_the_end_closes_the_agent_and_lets_go_of_the_folder(tmp_path: Path) -> None:
    settings = Settings(key=SecretStr("x"), data_dir=tmp_path)
    app = create_app(settings)
    with TestClient(app):
        agent = app.state.agent
        agent.jobs.run({"task": "describe"})
    with pytest.raises(StoppingError):
        agent.jobs.run({"task": "describe"})
    with TestClient(create_app(settings)) as client:
        assert client.get("/healthz").status_code == 200
