"""What the board is: processor, memory, and what its ncnn can do."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import ncnn

from quant.ncnn.runtime import capabilities

CPUINFO = Path("/proc/cpuinfo")
# Flags of /proc/cpuinfo for which ncnn has code of its own.
INSTRUCTION_SETS = (
    *("sse2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx_vnni_int8", "avx_ne_convert"),
    *("avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("neon", "vfpv4", "asimd", "fphp", "asimdhp", "asimddp", "asimdfhm", "bf16", "i8mm"),
    *("sve", "sve2", "svebf16", "svei8mm", "lsx", "lasx", "msa"),
)
MODEL_KEYS = ("model name", "Model", "Hardware")


def describe() -> dict[str, Any]:
    """The answer of `/v1/device` but for the agent's own limits."""
    facts = read_cpuinfo(CPUINFO.read_text() if CPUINFO.is_file() else "")
    able = capabilities()
    return {
        "cpu": cpu_model(facts),
        "machine": platform.machine(),
        "instruction_sets": instruction_sets(facts),
        "cores": os.cpu_count() or 1,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "ncnn_version": ncnn.__version__,
        "arch": able.arch,
        "bits16": able.bits16,
        "types16": sorted(able.types16),
    }


def read_cpuinfo(text: str) -> dict[str, str]:
    """Key -> value; of a key that every core repeats, the first."""
    facts: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            facts.setdefault(key.strip(), value.strip())
    return facts


def cpu_model(facts: dict[str, str]) -> str:
    """Name of the processor or board, else of the architecture."""
    return next((facts[key] for key in MODEL_KEYS if facts.get(key)), platform.machine())


def instruction_sets(facts: dict[str, str]) -> list[str]:
    """Flags that matter to ncnn; empty where the system does not list any."""
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    return [name for name in INSTRUCTION_SETS if name in flags]
