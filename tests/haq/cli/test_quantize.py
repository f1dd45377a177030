from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.haq.cli.program import haq


def test_tables_with_sensitivities(
    small: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAQ_CACHE", str(tmp_path / "cache"))
    done = haq("quantize", *small, "--out", tmp_path / "table.json", "--json")
    assert done.code == 0
    layers = done.result["layers"]
    assert len(layers) == 53
    for found in layers.values():
        assert found["kl"]["weight"]["2"] >= found["kl"]["weight"]["6"] >= 0
        assert found["weight_error"]["2"] >= found["weight_error"]["6"]
    assert json.loads((tmp_path / "table.json").read_text()) == done.result
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 53


def test_a_policy_is_quantized_as_a_whole(
    small: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAQ_CACHE", str(tmp_path / "cache"))
    done = haq("quantize", "--policy", "w4a8", "--no-sensitivities", *small)
    assert (done.code, "53 layers at 2 to 8 bits" in done.out) == (0, True)
    assert len(list((tmp_path / "cache" / "sequences").rglob("layers.safetensors"))) == 1
