from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from device_agent.web.start import uvicorn_option
from tests.device_agent.server import AGENT, UVICORN, refused, running

REACHED = "haq-agent: 0.0.0.0 can be reached from other machines: set HAQ_AGENT_KEY"


@pytest.mark.parametrize(
    ("argv", "env", "expected"),
    [
        (["uvicorn", "device_agent:app"], {}, "127.0.0.1"),
        (["uvicorn", "--host", "0.0.0.0"], {}, "0.0.0.0"),
        (["uvicorn", "--host=0.0.0.0", "app"], {}, "0.0.0.0"),
        (["uvicorn", "--host=1.1.1.1", "--host", "2.2.2.2"], {}, "2.2.2.2"),
        (["uvicorn", "--host="], {}, ""),
        (["uvicorn", "--host"], {}, ""),
        (["uvicorn", "--hosts", "x"], {}, "127.0.0.1"),
        ([], {"UVICORN_HOST": "::"}, "::"),
        ([], {"UVICORN_HOST": ""}, "127.0.0.1"),
        (["--host", "localhost"], {"UVICORN_HOST": "::"}, "localhost"),
    ],
)
def test_the_host_is_what_uvicorn_takes(
    argv: Sequence[str], env: dict[str, str], expected: str
) -> None:
    assert uvicorn_option("host", argv, env, "127.0.0.1") == expected


def test_names_with_dashes_have_variables_with_underscores() -> None:
    assert uvicorn_option("ssl-certfile", [], {"UVICORN_SSL_CERTFILE": "x.pem"}) == "x.pem"
    assert uvicorn_option("ssl-certfile", ["--ssl-certfile", "y.pem"], {}) == "y.pem"


@pytest.mark.parametrize(
    ("command", "settings", "message"),
    [
        (AGENT, {"HOST": "0.0.0.0"}, REACHED),
        ((*UVICORN, "--host", "0.0.0.0"), {}, REACHED),
        ((*UVICORN, "--host="), {}, "haq-agent:  can be reached from other machines"),
        (UVICORN, {"PORT": "x"}, "haq-agent: setting port (HAQ_AGENT_PORT): "),
        (UVICORN, {"KEYS_FILE": "/nowhere/keys"}, "haq-agent: there is no keys file /nowhere/keys"),
        (UVICORN, {"TLS_CERT": "a", "TLS_KEY": "b"}, "haq-agent: HAQ_AGENT_TLS_CERT is only for"),
    ],
)
def test_what_would_be_unsafe_is_refused_in_one_line(
    tmp_path: Path, command: Sequence[str], settings: dict[str, str], message: str
) -> None:
    code, text = refused(tmp_path, command, **settings)
    assert code == 2
    assert text.startswith(message)
    assert text.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_this_machine_needs_no_key(tmp_path: Path, host: str) -> None:
    with (
        running(tmp_path, (*UVICORN, "--host", host), KEY=None) as server,
        server.client(None) as c,
    ):
        assert c.get("/v1/files/" + "0" * 64).status_code == 404


def test_with_a_key_others_may_reach_it(tmp_path: Path) -> None:
    with running(tmp_path, HOST="0.0.0.0") as server, server.client() as client:
        assert client.get("/healthz").status_code == 200
        assert "no TLS" in server.log.read_text()


def test_a_data_folder_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path):
        code, text = refused(tmp_path, UVICORN)
    assert code == 3
    assert "another agent uses the data folder" in text
    assert "Traceback" not in text
