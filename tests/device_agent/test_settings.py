from __future__ import annotations

import pytest

from device_agent.settings import Settings, load_settings
from quant.errors import InputError


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("MAX_POLICIES", "many", r"setting max_policies \(HAQ_AGENT_MAX_POLICIES\): .*integer"),
        ("PORT", "70000", r"setting port \(HAQ_AGENT_PORT\): .*65535"),
        ("HOST", "", r"setting host \(HAQ_AGENT_HOST\): .*at least 1"),
        ("KEY", "", r"setting key \(HAQ_AGENT_KEY\): .*at least 1"),
        ("KEY", "geheim ", r"setting key \(HAQ_AGENT_KEY\): .*no spaces at its ends"),
        ("KEY", "geheim\ngeheim", r"setting key \(HAQ_AGENT_KEY\): .*no line breaks"),
        ("KEY", "geheim\udcff", r"setting key \(HAQ_AGENT_KEY\): "),
        ("TLS_CERT", "geheim", "tls_cert and tls_key go together: set both or none"),
        ("TLS_KEY", "geheim", "tls_cert and tls_key go together: set both or none"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_in_one_line_without_its_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(f"HAQ_AGENT_{name}", value)
    with pytest.raises(InputError, match=message) as caught:
        load_settings()
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_no_error_and_no_text_of_the_settings_repeats_the_key() -> None:
    assert "geheim" not in repr(Settings(key="geheim"))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no line breaks") as caught:
        Settings(key="geheim\n")  # type: ignore[arg-type]
    assert "geheim" not in str(caught.value)


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAQ_AGENT_PORT", "x")
    monkeypatch.setenv("HAQ_AGENT_MAX_WAITING", "0")
    with pytest.raises(InputError, match=r"port.*; .*max_waiting"):
        load_settings()
