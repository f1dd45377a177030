from __future__ import annotations

from pathlib import Path

import pytest

from bench.zoo import __main__ as zoo
from bench.zoo.rows import row_of, search


def rated(ratio: float) -> dict[str, float]:
    return {"latency_ratio": ratio, "latency_ms": 2.0, "kl": 0.01, "size_bytes": 2e6, "top1": 0.5}


def test_a_row_has_what_is_compared_and_no_more() -> None:
    exports = {"ncnn_agreement": 1.0, "onnx_agreement": 0.9, "onnx": "run/x.onnx"}
    uniform = {"8": rated(1.1), "16": rated(1.2), "32": rated(1.0)}
    row = row_of("net", {"best": rated(0.8), "uniform": uniform, "exports": exports})
    assert [row[kind]["latency_ratio"] for kind in ("float", "int8", "searched")] == [1.0, 1.1, 0.8]
    assert set(row["int8"]) == {"latency_ratio", "latency_ms", "kl", "size_bytes"}
    assert zoo.line(row).startswith("net")


def test_a_network_that_fails_is_named_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[str] = []

    def find(name: str, options: object, folder: Path) -> dict[str, object]:
        tried.append(name)
        return {"name": name, "failed": "why"}

    monkeypatch.setattr(zoo, "search", find)
    for _ in range(2):
        monkeypatch.setattr("sys.argv", ["zoo", "--out", str(tmp_path / "out.json"), "a", "b"])
        zoo.main()
    assert tried == ["a", "b", "a", "b"]
    assert "failed: why" in capsys.readouterr().out


def test_the_programs_own_words_are_the_reason(tmp_path: Path) -> None:
    row = search("no such network", (), tmp_path / "run")
    assert "no such network" in row["failed"]
