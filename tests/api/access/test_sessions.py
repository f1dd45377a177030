from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.access.sessions import SECRET_BYTES, Sessions, load_secret
from tests.device_agent.fake_clock import FakeClock

SECRET = bytes(range(32))


def test_a_cookie_has_its_name_until_its_end() -> None:
    clock = FakeClock()
    sessions = Sessions(SECRET, 60, clock)
    cookie = sessions.issue("anna")
    assert sessions.name_in(cookie) == "anna"
    clock.now_s = 59
    assert sessions.name_in(cookie) == "anna"
    clock.now_s = 60
    assert sessions.name_in(cookie) is None


def test_a_cookie_of_another_secret_is_nobodys() -> None:
    assert Sessions(SECRET[::-1], 60).name_in(Sessions(SECRET, 60).issue("anna")) is None


@pytest.mark.parametrize("place", range(0, 90, 7))
def test_a_changed_cookie_is_nobodys(place: int) -> None:
    cookie = Sessions(SECRET, 60).issue("anna")
    place = min(place, len(cookie) - 1)
    other = "0" if cookie[place] != "0" else "1"
    changed = cookie[:place] + other + cookie[place + 1 :]
    assert Sessions(SECRET, 60).name_in(changed) is None


def test_the_end_cannot_be_moved() -> None:
    name, until, signature = Sessions(SECRET, 60).issue("anna").split(":")
    assert Sessions(SECRET, 60).name_in(f"{name}:{int(until) + 3600}:{signature}") is None


@given(st.text())
def test_what_was_not_issued_is_nobodys(cookie: str) -> None:
    assert Sessions(SECRET, 60).name_in(cookie) is None


def test_a_secret_outlives_the_server_and_is_its_owners(tmp_path: Path) -> None:
    file = tmp_path / "session.key"
    made = load_secret(file)
    assert len(made) == SECRET_BYTES
    assert load_secret(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_secret_that_others_could_read_is_closed(tmp_path: Path) -> None:
    """The server may have been killed when it had just made the file."""
    file = tmp_path / "session.key"
    load_secret(file)
    file.chmod(0o644)
    load_secret(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_services_have_two_secrets(tmp_path: Path) -> None:
    assert load_secret(tmp_path / "a") != load_secret(tmp_path / "b")
