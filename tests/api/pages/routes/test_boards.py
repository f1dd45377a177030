from __future__ import annotations

from datetime import datetime, timezone

import pytest
from starlette.testclient import TestClient

from api.pages.routes import boards
from api.schema import Board, Noise
from tests.api.pages.made_up import Page

DEVICE = {
    "cpu": "Cortex-A76",
    "machine": "aarch64",
    "cores": 4,
    "memory_bytes": 8e9,
    "ncnn_version": "1.0",
    "bits16": "fp16",
    "types16": ["Convolution"],
}
STATUS = {
    "lease": {"client": "anna", "expires_in_s": 61.0},
    "waiting": 2,
    "running": True,
    "conditions": {"temperature_c": 61.5, "governor": None, "affinity": [0, 1]},
}

MOMENTS = (
    datetime(2026, 11, 1, 10, tzinfo=timezone.utc),
    datetime(2026, 11, 1, 12, 30, tzinfo=timezone.utc),
)


def test_no_board_is_listed(client: TestClient) -> None:
    assert "No board is listed" in Page(client.get("/boards").text).text


def test_what_boards_answer(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [
        Board(name="pi5", url="http://pi5:8100", reachable=True, device=DEVICE, status=STATUS),
        Board(name="pi4", url="http://pi4:8100", reachable=False, problem="it does not answer"),
    ]
    answers[0].noise = [Noise(measured_at=at, noise=0.012) for at in MOMENTS]
    monkeypatch.setattr(boards, "look_at_all", lambda file: answers)
    monkeypatch.setattr(boards, "add_noise", lambda found, jobs, database: found)
    page = client.get("/boards").text
    assert page.count("<svg") == 1
    text = Page(page).text
    assert "2 batches from 2026-11-01 10:00 to 2026-11-01 12:30 UTC" in text
    assert "Nothing was measured here yet" in text
    for words in ("Cortex-A76", "anna, for 1 min 1 s", "2 waiting, a job is running", "61.5"):
        assert words in text
    for words in ("temperature c", "0, 1", "not reachable", "it does not answer"):
        assert words in text
    assert "governor" not in text
