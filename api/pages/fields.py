"""The fields of the form for a new search, each with a word of explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from api.service import Service
from haq import boards
from haq.names import AGENTS, DATA_AT_HAND, METRICS, NETWORKS, RewardKind, StartName
from quant.observers import Method

Choice = tuple[str, str]
"""A value, and what is read in its place."""
QUANTIZERS: Sequence[Choice] = (
    ("best", "best: layers in sequence"),
    ("table", "table: each layer alone"),
    ("naive", "naive: rounding to nearest"),
    ("kmeans", "kmeans: shared weights"),
)


@dataclass(frozen=True)
class Field:
    """One field; `help` says what it means and what is understood."""

    name: str
    label: str
    help: str
    kind: Literal["text", "number", "select", "checks", "switch"] = "text"
    choices: Sequence[Choice] = ()
    example: str = ""
    least: int = 0
    most: int = 0


@dataclass(frozen=True)
class Group:
    """Fields that belong together."""

    title: str
    fields: Sequence[Field]


def same(names: Sequence[str], none: str = "") -> Sequence[Choice]:
    """Choices that are read as they are sent; `none` is what is read where nothing is chosen."""
    return (*((("", none),) if none else ()), *((name, name) for name in names))


def number(name: str, label: str, text: str, least: int, most: int) -> Field:
    """A whole number."""
    return Field(name, label, text, "number", least=least, most=most)


def select(name: str, label: str, text: str, choices: Sequence[Choice] = ()) -> Field:
    """One of several."""
    return Field(name, label, text, "select", choices)


NETWORK = (
    select(
        "model",
        "Model",
        "mbv2 and mbv2_seg have packaged weights, other networks of haq's own those at hand, else "
        "random ones. "
        "All others were uploaded by POST /v1/models: weights, ONNX or torch.export files.",
    ),
    select(
        "data",
        "Data set",
        "Images to validate and test on, and to calibrate on unless others are chosen for that. "
        "sample is for mbv2, faces (drawn, a class for every pixel) for mbv2_seg.",
    ),
    Field("data_rows", "Rows of the data set", "First and last; all if empty.", example="0-999"),
    select("calibration", "Calibration set", "Images for the ranges of activations."),
    Field(
        "calibration_rows",
        "Rows of the calibration set",
        "First and last; all if empty.",
        example="0-255",
    ),
)
BUDGETS = (
    Field(
        "budget_latency",
        "Latency",
        "At most so many times the float network's (0.9x), or milliseconds (12ms). Without any "
        "budget a latency halfway to the least reachable one is chosen.",
        example="0.9x",
    ),
    Field(
        "budget_size",
        "Size of the weights",
        "A multiple of the float network's (0.4x), or kB, MB, KiB, MiB.",
        example="0.4x or 1.5MB",
    ),
    Field(
        "budget_bops",
        "Bit operations",
        "A multiple (0.3x), or G or T: operations times weight bits times activation bits.",
        example="0.3x",
    ),
    Field(
        "budget_energy",
        "Energy",
        "A multiple (0.5x), or uJ, mJ, by the packaged table of a 45 nm chip.",
        example="0.5x",
    ),
)
SEARCH = (
    Field(
        "bits",
        "Bits to choose from",
        "8,16,32 run in ncnn; 2-8 are simulated and have no latency; 1-8 go with kmeans.",
        example="8,16,32",
    ),
    number("episodes", "Episodes", "Policies to try.", 1, 100_000),
    select(
        "agent", "Agent", "Who proposes policies: ddpg is ours, haq as published.", same(AGENTS)
    ),
    select(
        "start",
        "First policy",
        "ilp: of an integer program; walk: from the widest bits into the budget; cold: none.",
        same(get_args(StartName), "as suits the agent"),
    ),
    select(
        "reward",
        "Reward",
        "kl: minus the divergence from the float network; top1: the accuracy; metric: what is "
        "chosen for that.",
        same(get_args(RewardKind), "as suits the agent"),
    ),
    select(
        "metric",
        "Metric",
        "Shown beside the divergence: top1 or top5, how often the right class is among the first; "
        "miou: mean intersection over union of the classes; f1: of every class, their geometric "
        "mean. Trials are not raced for any but top1, which takes longer.",
        same(METRICS, "as suits the network"),
    ),
    number("parallel", "Proposed at once", "Nothing is learned in between.", 1, 256),
    number("seed", "Seed", "Equal seeds give equal searches.", 0, 2**31 - 1),
)
QUANTIZATION = (
    select(
        "quantizer",
        "Quantizer",
        "How weights become integers; kmeans is for the size alone.",
        QUANTIZERS,
    ),
    select("observer", "Ranges by", "How ranges of activations are found.", same(get_args(Method))),
    Field(
        "equalize",
        "Equalize channels",
        "Even out and centre channels of the network that ncnn gets; in float it stays equal.",
        "switch",
    ),
)
MEASURING = (
    Field(
        "boards",
        "Boards",
        "Where latencies are measured: boards of one kind. None: the worker's own machine.",
        "checks",
    ),
    number("threads", "Threads", "Threads of ncnn on the board.", 1, 64),
)


def groups(service: Service) -> list[Group]:
    """All fields, with what there is to choose from by now."""
    models = same([*NETWORKS, *(model.name for model in service.models.all())])
    names = [*DATA_AT_HAND, *(one.name for one in service.datasets.all())]
    listed = same(list(boards.load(service.settings.boards_file)))
    chosen = {
        "model": models,
        "data": same(names),
        "calibration": same(names, "part of the data set"),
        "boards": listed,
    }
    made = (
        ("Network and images", NETWORK),
        ("Budgets", BUDGETS),
        ("Search", SEARCH),
        ("Quantization", QUANTIZATION),
        ("Measuring", MEASURING),
    )
    return [Group(title, [filled(field, chosen) for field in fields]) for title, fields in made]


def filled(field: Field, chosen: dict[str, Sequence[Choice]]) -> Field:
    """A field with its choices."""
    return replace(field, choices=chosen[field.name]) if field.name in chosen else field
