"""From the options of `haq search` to what a server is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from haq.boards import NAME
from haq.client import Client, SearchSpec
from haq.cost import Budget, parse_budget
from haq.data.sources import parse_source
from haq.digest import sha256_of
from haq.names import DATA_AT_HAND, METRICS, MODEL_FILES, MetricName, Padding
from haq.own_function import is_function_name
from haq.search.asked import Asked
from haq.search.bounds import read_budgets
from quant.errors import InputError, ModelError

STEM_CHARACTERS = 40
DIGEST_CHARACTERS = 12


def make_spec(client: Client, asked: Asked, boards: Sequence[str]) -> SearchSpec:
    """The search as the server knows it; weights, and networks that are files, are uploaded.

    Raises InputError for what a server does not do or does not have, ServerError.
    """
    check_boards(boards)
    for option, source in (("--data", asked.data), ("--calibration", asked.calibration)):
        if source is not None:
            check_source(client, option, source)
    return SearchSpec(
        model=model_of(client, asked),
        data=asked.data,
        calibration=asked.calibration,
        budgets=asked.budget,
        bits=asked.bits,
        agent=asked.agent,
        start=asked.start,
        reward=asked.reward,
        metric=metric_of(asked.metric),
        quantizer=asked.quantizer,
        observer=asked.observer,
        equalize=asked.equalize,
        episodes=asked.episodes,
        parallel=asked.parallel,
        seed=asked.seed,
        threads=asked.threads,
        boards=tuple(boards),
    )


def read_bounds(asked: Asked) -> dict[str, tuple[str, ...]]:
    """The budgets of each bound of a sweep, by the bound; empty where none was asked for.

    Raises InputError for bounds that are to be found, BudgetError for those that are none.
    """
    if asked.pareto is not None:
        raise InputError(
            f"--pareto {asked.pareto} spreads bounds over what can be reached, which a server does "
            "not know beforehand: name them, as in --budget latency=0.8x,0.9x"
        )
    _, sweep = read_budgets(asked.budget, None, read_kept)
    fixed = tuple(budget for budget in asked.budget if "," not in budget)
    return {bound: (*fixed, bound) for bound in (sweep.typed if sweep else ())}


def read_kept(texts: Sequence[str]) -> tuple[Budget, ...] | None:
    """Budgets as typed; whether they go together is for the server to say. Raises BudgetError."""
    return tuple(parse_budget(text) for text in texts) or None


def check_boards(boards: Sequence[str]) -> None:
    """Raise InputError for the address of a board."""
    for board in boards:
        if not re.fullmatch(NAME, board):
            raise InputError(f"--board {board} is no name: a server measures on boards of its list")


def check_source(client: Client, option: str, source: str) -> None:
    """Raise InputError for images that the server does not have."""
    name, *_ = parse_source(source)
    if name in DATA_AT_HAND:
        return
    known = [*DATA_AT_HAND, *(dataset.name for dataset in client.datasets())]
    if name in known:
        return
    if Path(name).exists():
        raise InputError(
            f"{option} {name} is here, not on the server: copy it there, below one of its "
            "HAQ_SERVICE_DATA_ROOTS, and give it a name by "
            "haq.Client(URL, KEY).register_dataset(NAME, PATH)"
        )
    raise InputError(f"{option} {name} is not on the server, which has {', '.join(known)}")


def metric_of(name: str | None) -> MetricName | None:
    """The same where it is one of haq's own. Raises InputError for any other."""
    found = next((own for own in METRICS if own == name), None)
    if found == name:
        return found
    raise InputError(
        f"--metric {name} is none of {', '.join(METRICS)}: a server runs no code of its users"
    )


def model_of(client: Client, asked: Asked) -> str:
    """The name that the server has for the network, which it may be given first.

    Raises ModelError, ServerError.
    """
    if is_function_name(asked.model):
        raise ModelError(
            f"--model {asked.model} is code, and a server runs none of its users': give it the "
            "network as a file, by torch.export.save (.pt2) or as ONNX"
        )
    if Path(asked.model).suffix.removeprefix(".") in MODEL_FILES:
        check_alone(asked)
        return upload(client, Path(asked.model))
    return asked.model if asked.weights is None else upload_weights(client, asked, asked.weights)


def check_alone(asked: Asked) -> None:
    """Raise ModelError for what a file of a network says itself."""
    if asked.weights is not None:
        raise ModelError(f"{asked.model} holds its weights: leave out --weights")


def upload_weights(client: Client, asked: Asked, weights: Path) -> str:
    """The name of weights that the server has afterwards. Raises ModelError, ServerError."""
    if not weights.is_file():
        raise ModelError(f"no such weights file: {weights}")
    if weights.suffix != ".safetensors":
        raise ModelError(f"{weights} is no .safetensors file: a server takes no other weights")
    return upload(client, weights, asked.model, asked.input_size, asked.padding)


def upload(
    client: Client,
    file: Path,
    architecture: str | None = None,
    side: int | None = None,
    padding: Padding | None = None,
) -> str:
    """The name of a file that the server has afterwards. Raises ModelError, ServerError."""
    if not file.is_file():
        raise ModelError(f"no such model file: {file}")
    name = name_of(file, architecture, side, padding)
    if all(model.name != name for model in client.models()):
        client.upload_model(file, name, architecture, side, padding)
    return name


def name_of(file: Path, *declared: object) -> str:
    """A name that another file, or this one declared otherwise, does not get."""
    stem = re.sub(r"[^a-z0-9.-]+", "-", file.stem.lower()).strip(".-")[:STEM_CHARACTERS]
    digest = sha256_of(file)[:DIGEST_CHARACTERS]
    return "-".join(map(str, filter(None, (stem or "weights", digest, *declared))))
