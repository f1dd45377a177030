"""A whole search: from a request to a folder with the best policy, its networks and a summary."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haq.board import AnyBoard, Device
from haq.data import Splits, load_splits
from haq.parallel import LocalWorkers, StartWorkers
from haq.prepare import (
    Subject,
    check_images,
    input_shape,
    load_network,
    make_subject,
    upload,
    weights_of,
)
from haq.progress import Progress
from haq.search.content import digests
from haq.search.equal_size import size_details
from haq.search.loop import Outcome
from haq.search.request import SearchRequest
from haq.search.stages import Stages
from haq.search.summary import details, summarise
from haq.search.target import Target
from haq.store import RunFolder, Store, open_store, write_json
from haq.store.database import without_password
from haq.store.run_folder import STORE, discard
from quant.errors import BudgetError, InputError
from quant.ncnn.grouped import without_8_bits


def run_search(
    request: SearchRequest,
    folder: RunFolder,
    board: AnyBoard,
    progress: Progress,
    start: StartWorkers = LocalWorkers,
    store_url: str | None = None,
) -> dict[str, Any]:
    """Load what the request names, then search; see `search_subject`. Raises InputError."""
    subject, splits = load_subject(request)
    return search_subject(request, subject, splits, folder, board, progress, start, store_url)


def search_subject(
    request: SearchRequest,
    subject: Subject,
    splits: Splits,
    folder: RunFolder,
    board: AnyBoard,
    progress: Progress,
    start: StartWorkers = LocalWorkers,
    store_url: str | None = None,
) -> dict[str, Any]:
    """Search, export, check, and return the summary; nothing is written before the input is good.

    `start` says who evaluates; the result does not depend on it. What is scored and measured is
    kept in the store of this address, by default a file in the folder.
    Raises InputError for a folder of another run or one in use, StorageError where it cannot be
    written, BudgetError for a bound that cannot be met, BoardError where the board fails.
    """
    started = time.monotonic()
    with open_run(request, subject, splits, folder, board, store_url) as opened:
        search = Stages(request, folder, board, progress, subject, splits, opened.store, start)
        with discarding(opened):
            target = search.find_target()
        outcomes = search.run(target, folder)
        seconds = time.monotonic() - started
        searched = Searched(folder, target, request.budget is not None, outcomes, seconds)
        summary, _ = conclude(search, searched, outcomes, opened.device)
    return summary


@dataclass(frozen=True)
class Opened:
    """The folder of a run, and what else decides its result than what was asked.

    `made` is the topmost folder that had to be made, None for a run that is continued.
    """

    folder: RunFolder
    made: Path | None
    device: Device
    content: Mapping[str, Any]
    store: Store


@dataclass(frozen=True)
class Searched:
    """A search whose episodes are done, and the seconds that they took."""

    folder: RunFolder
    target: Target
    budget_given: bool
    outcomes: Sequence[Outcome]
    seconds: float


@contextmanager
def open_run(
    request: SearchRequest,
    subject: Subject,
    splits: Splits,
    folder: RunFolder,
    board: AnyBoard,
    store_url: str | None,
) -> Iterator[Opened]:
    """The folder and its store open for the request, the board with its network.

    Raises InputError, StorageError.
    """
    if request.table is not None:
        graph = subject.network.graph
        request.table.check(graph.layer_names, graph.products)
    device = board.describe()
    identity = {"cpu": device.cpu, "bits16": device.bits16, "ncnn": device.ncnn_version}
    content = {"board": identity, "digests": digests(subject, splits)}
    address = None if store_url is None else without_password(store_url)
    settings = {**request.to_json(), **content, STORE: address}
    with folder.open(settings) as made, open_store(store_url or folder.store_url) as store:
        enter(store, folder, settings)
        upload(subject, board)
        yield Opened(folder, made, device, content, store)


def enter(store: Store, folder: RunFolder, settings: Mapping[str, Any]) -> None:
    """Note the run in its store, and in its folder where that store is: it may have moved.

    Raises InputError for another store than the run began in, StorageError.
    """
    address = settings[STORE]
    if address != folder.kept_in and not store.holds(folder.run_id):
        raise InputError(
            f"{folder.path} is not kept in {address or 'its own folder'}: name the store that has "
            f"it, which was {folder.kept_in or 'in its own folder'} (--store)"
        )
    store.begin(folder.run_id, settings)
    folder.keep_in(address)


@contextmanager
def discarding(opened: Opened) -> Iterator[None]:
    """A new folder does not stay where a bound turns out to be out of reach."""
    try:
        yield
    except BudgetError:
        if opened.made is not None:
            opened.store.forget(opened.folder.run_id)
            discard(opened.folder.path, opened.made)
        raise


def conclude(
    search: Stages, searched: Searched, candidates: Sequence[Outcome], device: Device
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Choose the winner among the candidates, rate, export and check it; summary and details.

    Raises BudgetError where none keeps a bound that was given, BoardError where the board fails.
    """
    started = time.monotonic()
    folder, target, request = searched.folder, searched.target, search.request
    winner, latencies = search.rank(target, candidates, searched.budget_given)
    best, uniforms = search.rate(winner, latencies)
    near = search.rate_near(best)
    exports = search.export(best.policy, folder)
    seconds = searched.seconds + time.monotonic() - started
    episodes = len(searched.outcomes)
    summary = summarise(str(folder.path), request.model, best, uniforms, exports, episodes, seconds)
    rated = {"best": best, **uniforms, **near}
    given = searched.budget_given
    more = details(target, given, winner, candidates, rated, device, request.agent)
    more |= {"start": request.begins_with, "reward": request.earns}
    more |= {"network": network_json(request, search.subject)}
    graph = search.subject.network.graph
    more |= {"stays_float": dict(graph.stays_float)}
    more |= {"without_8_bits": sorted(without_8_bits(graph))} if request.is_deployable else {}
    more |= size_details(best, near) if request.shares_weights else {}
    write_json(folder.summary, {**summary, "details": more})
    return summary, more


def network_json(request: SearchRequest, subject: Subject) -> dict[str, Any]:
    """Whose weights, and the input (channels, height, width)."""
    weights = weights_of(request.model, request.weights)
    return {"weights": weights, "input": list(input_shape(subject.config))}


def load_subject(request: SearchRequest) -> tuple[Subject, Splits]:
    """Network, calibrated, and images that fit it. Raises ModelError, DataError."""
    config, network = load_network(
        request.model, request.weights, request.input_size, request.padding, request.data
    )
    splits = load_splits(request.data, request.calibration, config.input_size, config.channels)
    for images in (splits.validation, splits.test):
        check_images(config, images)
    subject = make_subject(config, network, splits.calibration, request.observer, request.equalize)
    return subject, splits
