"""One network: searched by the program that users run, and what came of it as a row."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.program import PROGRAM

PATIENCE_S = 3600.0
Row = dict[str, Any]


def search(name: str, options: Sequence[str], folder: Path) -> Row:
    """The row of a network; where it fails, why."""
    command = [*PROGRAM, "search", "--model", name, *options, "--out", str(folder), "--json"]
    start = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return failed(name, f"not done after {PATIENCE_S:.0f} s")
    if done.returncode != 0:
        return failed(name, (done.stderr.strip() or "no reason").splitlines()[-1])
    return {**row_of(name, json.loads(done.stdout)), "seconds": round(time.monotonic() - start)}


def failed(name: str, reason: str) -> Row:
    """The row of a network that came to no end."""
    return {"name": name, "failed": reason}


def row_of(name: str, summary: Mapping[str, Any]) -> Row:
    """Float, all-int8 and searched, of a summary; ratios are to the float network."""
    exports = summary["exports"]
    return {
        "name": name,
        "float": numbers(summary["uniform"]["32"]),
        "int8": numbers(summary["uniform"]["8"]),
        "searched": numbers(summary["best"]),
        "ncnn_agreement": exports["ncnn_agreement"],
        "onnx_agreement": exports["onnx_agreement"],
    }


def numbers(found: Mapping[str, Any]) -> Row:
    """What is compared."""
    return {key: found[key] for key in ("latency_ratio", "latency_ms", "kl", "size_bytes")}
