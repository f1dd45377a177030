from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.device_agent.conftest import KEY
from tests.device_agent.process_table import wait_for
from tests.device_agent.server import AGENT, UVICORN, Server, agent_env, running

OTHER_KEY = "a-key-that-was-once-right"
SECRETS = (KEY, OTHER_KEY, "c2VjcmV0LWJvZHk", "secret-body", "secret-query", "secret-cookie")
QUERY = "?key=secret-query"


@pytest.fixture(params=[AGENT, UVICORN], ids=["haq-agent", "uvicorn"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path, request.param) as found:
        yield found


def lines(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def requests(server: Server) -> list[dict[str, Any]]:
    return [line for line in lines(server) if line["event"] == "request"]


def good_and_bad_requests(server: Server) -> list[str]:
    """Bodies and heads of the answers to all kinds of requests that carry secrets."""
    answers = []
    with server.client(None) as client:
        for auth in (f"Bearer {KEY}", f"Bearer {OTHER_KEY}", f"Basic {KEY}", KEY, f"Bearer {KEY}é"):
            headers = {"Authorization": auth.encode(), "Cookie": "secret-cookie"}
            for method, path in [
                ("GET", "/healthz"),
                ("GET", "/v1/device"),
                ("GET", "/v1/nothing"),
                ("DELETE", "/v1/device"),
                ("GET", "/openapi.json"),
                ("GET", "/metrics"),
                ("PUT", "/v1/files/" + "0" * 64),
                ("POST", "/v1/measure"),
                ("POST", "/v1/networks"),
            ]:
                for content in (b'{"network": "secret-body"}', b"secret-body", b""):
                    kind = {"Content-Type": "application/json"}
                    options: Any = {"headers": headers | kind, "content": content}
                    answer = client.request(method, path + QUERY, **options)
                    answers.append(f"{answer.headers}{answer.text}")
    for raw in (
        f"GET /v1/device HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\n no\x00thing\r\n\r\n",
        f"GET /v1/device HTTP/9.9\r\nConnection: close\r\nAuthorization: Bearer {KEY}\r\n\r\n",
        f"Authorization: Bearer {KEY}\r\n\r\n",
        f"PUT /v1/files/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
        "Transfer-Encoding: chunked\r\n\r\nsecret-body\r\n",
    ):
        answers.append(server.talk(raw.encode()).decode())
    return answers


def provoke_a_500(server: Server) -> httpx2.Response:
    """An upload that fails in a way that nobody foresaw: the folder is gone."""
    data = server.log.parent / "data"
    (data / "files").rename(data / "elsewhere")
    with server.client() as client:
        headers = {"Cookie": "secret-cookie"}
        path = "/v1/files/" + "0" * 64 + QUERY
        return client.put(path, content=b"secret-body", headers=headers)


def test_no_secret_is_ever_written_or_answered(server: Server) -> None:
    answers = good_and_bad_requests(server)
    assert len(answers) > 130
    broken = provoke_a_500(server)
    assert broken.status_code == 500
    answers.append(broken.text)
    wait_for(lambda: "Traceback" in server.log.read_text())
    server.process.terminate()
    server.process.wait(20)
    written = server.log.read_text() + "".join(answers)
    assert [secret for secret in SECRETS if secret in written] == []
    (trouble,) = [line for line in lines(server) if "exception" in line]
    assert trouble["event"] == "request failed"
    assert trouble["request_id"] == broken.headers["x-request-id"]
    assert "Traceback" not in "".join(answers)


def test_one_line_a_request(server: Server) -> None:
    with server.client() as client:
        client.get("/v1/files/" + "0" * 64 + "?a=b")
        client.get("/v1/%1b[31m/\N{SNOWMAN}")
        answer = client.get("/v1/device", headers={"Authorization": "Bearer wrong"})
    wait_for(lambda: len(requests(server)) == 3)
    first, odd, refused = requests(server)
    assert first["path"] == "/v1/files/" + "0" * 64
    assert (first["method"], first["status"], first["key"]) == ("GET", 404, "default")
    assert first["client"] == "127.0.0.1"
    assert first["ms"] > 0
    assert odd["path"] == "/v1/%1B%5B31m/%E2%98%83"
    assert (refused["status"], refused["key"]) == (401, None)
    assert refused["request_id"] == answer.headers["x-request-id"]
    assert len({line["request_id"] for line in (first, odd, refused)}) == 3


def test_start_and_stop_are_told_and_all_is_json(server: Server) -> None:
    server.process.terminate()
    server.process.wait(20)
    events = [line["event"] for line in lines(server)]
    assert "started" in events
    assert events.index("started") < events.index("stopping") < events.index("stopped")


def test_people_get_text(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    env = agent_env(tmp_path, {"KEY": KEY})
    with subprocess.Popen(AGENT, stderr=theirs, stdout=theirs, env=env) as process:
        os.close(theirs)
        text = ""
        while "running on" not in text:
            text += os.read(ours, 4096).decode()
        process.kill()
    os.close(ours)
    assert "started" in text
    assert '{"event"' not in text


def test_an_application_of_other_code_prints_nothing() -> None:
    code = (
        "from pathlib import Path\nfrom starlette.testclient import TestClient\n"
        "from device_agent.web.service import create_app\n"
        "from device_agent.settings import Settings\n"
        "import tempfile\n"
        "settings = Settings(key='x', data_dir=Path(tempfile.mkdtemp()))\n"
        "with TestClient(create_app(settings)) as client:\n    client.get('/v1/device')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
