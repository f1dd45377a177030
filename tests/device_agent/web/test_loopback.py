from __future__ import annotations

import pytest

from device_agent.web.loopback import is_loopback, is_loopback_host


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.8.7", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.168.1.7", False),
        ("192.168.1.7", False),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost", False),
        ("", False),
        ("2130706433", False),
    ],
)
def test_addresses(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("no-such-host.invalid", False),
        ("a" * 70, False),
        ("0", False),
    ],
)
def test_hosts_by_name(host: str, expected: bool) -> None:
    assert is_loopback_host(host) is expected
