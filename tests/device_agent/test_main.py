from __future__ import annotations

from pathlib import Path

import pytest

from device_agent.__main__ import main
from device_agent.web.keys_file import digest_of, read_keys
from tests.device_agent.server import running


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAQ_AGENT_KEYS_FILE", str(tmp_path / "keys"))
    return tmp_path / "keys"


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["haq-agent", *words])
    try:
        main()
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    return 0


def test_a_key_is_printed_once_and_then_revoked(
    keys: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "key", "laptop") == 0
    printed = capfd.readouterr().out.strip()
    assert read_keys(keys) == {"laptop": digest_of(printed.encode())}
    assert run(monkeypatch, "key", "laptop") == 2
    assert "a key laptop already" in capfd.readouterr().err
    assert run(monkeypatch, "revoke", "laptop") == 0
    assert run(monkeypatch, "revoke", "laptop") == 2
    assert capfd.readouterr().err == f"haq-agent: there is no key laptop in {keys}\n"
    assert read_keys(keys) == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["key"], "haq-agent: Missing argument"),
        (["fly"], "haq-agent: No such command"),
        (["--fly"], "haq-agent: No such option"),
        (["key", "laptop"], "haq-agent: set HAQ_AGENT_KEYS_FILE"),
        (["revoke", "laptop"], "haq-agent: set HAQ_AGENT_KEYS_FILE"),
    ],
)
def test_mistakes_end_with_one_line(
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("HAQ_AGENT_KEYS_FILE", raising=False)
    assert run(monkeypatch, *words) == 2
    err = capfd.readouterr().err
    assert err.startswith(message)
    assert err.count("\n") == 1


def test_help_names_the_commands(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "--help") == 0
    text = capfd.readouterr().out
    assert "HAQ_AGENT_" in text
    assert "revoke" in text


def test_a_running_agent_takes_and_refuses_keys_at_once(
    tmp_path: Path, keys: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    keys.touch()
    with running(tmp_path, KEY=None, KEYS_FILE=str(keys)) as server:
        assert run(monkeypatch, "key", "laptop") == 0
        with server.client(capfd.readouterr().out.strip()) as client:
            assert client.get("/v1/device").status_code == 200
            assert run(monkeypatch, "revoke", "laptop") == 0
            assert client.get("/v1/device").status_code == 401
        assert '"key": "laptop"' in server.log.read_text()


def test_the_answers_of_the_server_do_not_name_it(tmp_path: Path) -> None:
    with running(tmp_path) as server, server.client() as client:
        assert "server" not in client.get("/healthz").headers
        assert server.talk(b"GET /" + b"x" * 20_000).startswith(b"HTTP/1.1 400 ")
