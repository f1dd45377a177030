from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from api.settings import PREFIX, Settings, load_settings
from quant.errors import InputError


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_the_defaults_are_safe() -> None:
    found = load_settings()
    assert found.host == "127.0.0.1"
    assert found.admin_key is None
    assert (found.data_roots, found.board_hosts) == ((), ())


def test_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "DATA_DIR": str(tmp_path),
        "DATA_ROOTS": '["/data/faces", "/data/more"]',
        "BOARD_HOSTS": '["pi5.lan:8100"]',
        "WORKERS": "0",
        "ADMIN_KEY": "secret",
    }.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    found = load_settings()
    assert found.data_roots == (Path("/data/faces"), Path("/data/more"))
    assert found.board_hosts == ("pi5.lan:8100",)
    assert (found.workers, found.data_dir) == (0, tmp_path)
    assert found.admin_key == SecretStr("secret")
    assert found.store_url == f"sqlite:///{tmp_path / 'haq.sqlite'}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "secret"),
        ("PORT", "65536"),
        ("WORKERS", "-1"),
        ("LEASE_S", "0"),
        ("LEASE_S", "nan"),
        ("HOST", ""),
        ("DATA_ROOTS", "/secret"),
        ("BOARD_HOSTS", "secret"),
    ],
)
def test_what_cannot_be_used_is_one_line_that_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(InputError) as error:
        load_settings()
    text = str(error.value)
    assert name.lower() in text.lower()
    assert "secret" not in text and "\n" not in text


def test_secrets_are_not_shown() -> None:
    text = repr(
        Settings(admin_key=SecretStr("opensesame"), store=SecretStr("postgresql://u:pw@h/n"))
    )
    assert "opensesame" not in text and "pw" not in text


def test_another_process_has_the_same_data_and_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for given in (
        Settings(data_dir=tmp_path / "a", lease_s=2.5),
        Settings(data_dir=tmp_path / "b", store=SecretStr("postgresql://u:pw@h/n"), ray="auto"),
    ):
        for name, value in given.to_environ().items():
            monkeypatch.setenv(name, value)
        found = load_settings()
        assert (found.data_dir, found.store_url) == (given.data_dir, given.store_url)
        assert (found.lease_s, found.ray) == (given.lease_s, given.ray)
        assert given.to_environ()["HAQ_BOARDS"] == str(given.boards_file)
