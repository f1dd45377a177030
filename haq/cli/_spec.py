"""From the options of `haq search` to what a server is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from haq.boards import NAME
from haq.client import Client, SearchSpec
from haq.data.sources import SAMPLE, parse_source
from haq.digest import sha256_of
from haq.search.asked import Asked
from quant.errors import InputError, ModelError

STEM_CHARACTERS = 40
DIGEST_CHARACTERS = 12


def make_spec(client: Client, asked: Asked, boards: Sequence[str]) -> SearchSpec:
    """The search as the server knows it; its weights are uploaded.

    Raises InputError for what a server does not do or does not have, ServerError.
    """
    check_budgets(asked.budget)
    check_boards(boards)
    for option, source in (("--data", asked.data), ("--calibration", asked.calibration)):
        check_source(client, option, source or SAMPLE)
    return SearchSpec(
        model=asked.model if asked.weights is None else upload(client, asked, asked.weights),
        data=asked.data,
        calibration=asked.calibration,
        budgets=asked.budget,
        bits=asked.bits,
        agent=asked.agent,
        start=asked.start,
        reward=asked.reward,
        quantizer=asked.quantizer,
        observer=asked.observer,
        equalize=asked.equalize,
        episodes=asked.episodes,
        parallel=asked.parallel,
        seed=asked.seed,
        threads=asked.threads,
        boards=tuple(boards),
    )


def check_budgets(budgets: Sequence[str]) -> None:
    """Raise InputError for a sweep."""
    for budget in budgets:
        if "," in budget:
            raise InputError(
                f"--budget {budget} is a sweep: a search on a server has one bound of each kind"
            )


def check_boards(boards: Sequence[str]) -> None:
    """Raise InputError for the address of a board."""
    for board in boards:
        if not re.fullmatch(NAME, board):
            raise InputError(f"--board {board} is no name: a server measures on boards of its list")


def check_source(client: Client, option: str, source: str) -> None:
    """Raise InputError for images that the server does not have."""
    name, *_ = parse_source(source)
    if name == SAMPLE:
        return
    known = [SAMPLE, *(dataset.name for dataset in client.datasets())]
    if name in known:
        return
    if Path(name).exists():
        raise InputError(
            f"{option} {name} is here, not on the server: copy it there, below one of its "
            "HAQ_SERVICE_DATA_ROOTS, and give it a name by "
            "haq.Client(URL, KEY).register_dataset(NAME, PATH)"
        )
    raise InputError(f"{option} {name} is not on the server, which has {', '.join(known)}")


def upload(client: Client, asked: Asked, weights: Path) -> str:
    """The name of weights that the server has afterwards. Raises ModelError, ServerError."""
    if not weights.is_file():
        raise ModelError(f"no such weights file: {weights}")
    if weights.suffix != ".safetensors":
        raise ModelError(f"{weights} is no .safetensors file: a server takes no other weights")
    name = name_of(weights, asked)
    if all(model.name != name for model in client.models()):
        client.upload_model(weights, name, asked.model, asked.input_size, asked.padding)
    return name


def name_of(weights: Path, asked: Asked) -> str:
    """A name that other weights, or these for another input, do not get."""
    stem = re.sub(r"[^a-z0-9.-]+", "-", weights.stem.lower()).strip(".-")[:STEM_CHARACTERS]
    digest = sha256_of(weights)[:DIGEST_CHARACTERS]
    return f"{stem or 'weights'}-{digest}-{asked.input_size}-{asked.padding}"
