"""The tools that are compared, what each is asked, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SettingName = Literal["board", "size"]
SETTINGS: tuple[SettingName, ...] = ("board", "size")
OURS = "haq"
ONE_BOUND = "haq, one bound"
PLANNED = "haq, ilp"
Formats = Sequence[tuple[int, int]]

TORCH = ("torch==2.13.0", "safetensors")
VISION = "torchvision==0.28.0"
WIDTHS: Formats = tuple((weight, 8) for weight in (8, 6, 5, 4, 3, 2))
"""Weight bits where size counts: activations have no size, and keep 8 bits."""


ENGINE: Formats = ((32, 32), (16, 16), (8, 8))
FREE: Formats = tuple((bits, bits) for bits in range(8, 1, -1))
FEW = {"episodes": 24}


@dataclass(frozen=True)
class Ask:
    """Targets of a tool's own kind, in `unit`, and the (weight, activation) bits to choose from.

    `options` are ours alone: settings of the search other than its default ones.
    """

    unit: str
    targets: Sequence[float]
    formats: Formats
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    """A tool with a driver in `bench.peers.drivers`; no requirements where it is ours."""

    name: str
    driver: str
    requirements: Sequence[str]
    asks: Mapping[SettingName, Ask]


TOOLS: Sequence[Tool] = (
    Tool(
        OURS,
        "ours",
        (),
        {
            "board": Ask("of float's latency", (4,), ENGINE),
            "size": Ask("of float's bytes", (0.1, 0.125, 0.16, 0.19), FREE),
        },
    ),
    Tool(ONE_BOUND, "ours", (), {"board": Ask("of float's latency", (1,), ENGINE)}),
    Tool(
        PLANNED,
        "ours",
        (),
        {"board": Ask("of float's latency", (4,), ENGINE, {"agent": "ilp", **FEW})},
    ),
    Tool(
        "modelopt",
        "nvidia",
        ("nvidia-modelopt==0.47.0", "huggingface_hub", "requests", *TORCH),
        {
            "board": Ask("effective bits", (9.0, 10.5, 12.0, 14.0), ((8, 8),)),
            "size": Ask("effective bits", (3.2, 4.0, 5.1, 6.1), WIDTHS),
        },
    ),
    Tool(
        "AIMET",
        "aimet",
        ("aimet-torch==2.42.0", VISION, *TORCH),
        {
            "board": Ask("KL", (5e-5, 1e-4, 2e-4, 4e-4), ((16, 16), (8, 8))),
            "size": Ask("KL", (0.003, 0.01, 0.03, 0.1), ((8, 8), (6, 8), (4, 8))),
        },
    ),
    Tool(
        "MCT",
        "mct",
        ("model-compression-toolkit==2.6.1", VISION, *TORCH),
        {
            "board": Ask("of 16-bit weights", (0.55, 0.65, 0.8), ((16, 16), (8, 8))),
            "size": Ask("of 8-bit weights", (0.4, 0.5, 0.64), ((8, 8), (6, 8), (4, 8), (2, 8))),
        },
    ),
)


def is_ours(name: str) -> bool:
    """Whether a name is that of one of our own searches."""
    return name in {OURS, ONE_BOUND, PLANNED}
