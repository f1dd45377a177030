"""What a search of the service is to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from haq.names import (
    AgentName,
    MetricName,
    QuantizerName,
    RewardKind,
    StartName,
    usual_search_data,
)
from quant.observers import Method


@dataclass(frozen=True)
class SearchSpec:
    """A search as it is asked for; each field as the option of `haq search` of that name.

    `model` is one of `haq models` or uploaded, `data` and `calibration` are sample, faces or a
    registered data set, perhaps with rows (`photos:0-999`), and `boards` are the server's, none for
    the machine that the search runs on.
    """

    model: str = "mbv2"
    data: str = "sample"
    calibration: str | None = None
    budgets: tuple[str, ...] = ()
    bits: str = "8,16,32"
    agent: AgentName = "ddpg"
    start: StartName | None = None
    reward: RewardKind | None = None
    metric: MetricName | None = None
    quantizer: QuantizerName = "best"
    observer: Method = "auto"
    equalize: bool = False
    episodes: int = 120
    parallel: int = 8
    seed: int = 0
    threads: int = 1
    boards: tuple[str, ...] = ()


def usual_spec(model: str) -> SearchSpec:
    """A search of a network on the images that `haq search` takes where none are named."""
    data = usual_search_data(model, weights_given=False, input_size=None)
    return SearchSpec(model=model, data=data)


class SearchFields(TypedDict, total=False):
    """Some fields of a `SearchSpec`, by name."""

    model: str
    data: str
    calibration: str | None
    budgets: tuple[str, ...]
    bits: str
    agent: AgentName
    start: StartName | None
    reward: RewardKind | None
    metric: MetricName | None
    quantizer: QuantizerName
    observer: Method
    equalize: bool
    episodes: int
    parallel: int
    seed: int
    threads: int
    boards: tuple[str, ...]
