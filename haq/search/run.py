"""A whole search: from a request to a folder with the best policy, its networks and a summary."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

from haq.board import AnyBoard
from haq.data import Splits, load_splits
from haq.prepare import (
    Subject,
    check_images,
    load_network,
    make_subject,
    upload,
)
from haq.progress import Progress
from haq.search.equal_size import size_details
from haq.search.request import SearchRequest
from haq.search.stages import Stages
from haq.search.summary import details, summarise
from haq.store import RunFolder, write_json
from haq.store.run_folder import discard
from quant.errors import BudgetError
from quant.ncnn.build import float_layers
from quant.ncnn.format import dump_bin


def run_search(
    request: SearchRequest, folder: RunFolder, board: AnyBoard, progress: Progress
) -> dict[str, Any]:
    """Load what the request names, then search; see `search_subject`. Raises InputError."""
    return search_subject(request, *load_subject(request), folder, board, progress)


def search_subject(
    request: SearchRequest,
    subject: Subject,
    splits: Splits,
    folder: RunFolder,
    board: AnyBoard,
    progress: Progress,
) -> dict[str, Any]:
    """Search, export, check, and return the summary; nothing is written before the input is good.

    Raises InputError for a folder of another run or one in use, StorageError where it cannot be
    written, BudgetError for a bound that cannot be met, BoardError where the board fails.
    """
    if request.table is not None:
        request.table.check(subject.network.graph.layer_names)
    device = board.describe()
    identity = {"cpu": device.cpu, "bits16": device.bits16, "ncnn": device.ncnn_version}
    content = {"board": identity, "digests": digests(subject, splits)}
    with folder.open({**request.to_json(), **content}) as made:
        return search_open(request, subject, splits, folder, made, board, progress)


def search_open(
    request: SearchRequest,
    subject: Subject,
    splits: Splits,
    folder: RunFolder,
    made: Path | None,
    board: AnyBoard,
    progress: Progress,
) -> dict[str, Any]:
    """The same within an open folder, which is discarded from `made` on for an unmet bound."""
    started = time.monotonic()
    device = board.describe()
    upload(subject, board)
    search = Stages(request, folder, board, progress, subject, splits)
    try:
        target = search.find_target()
    except BudgetError:
        if made is not None:
            discard(folder.path, made)
        raise
    outcomes = search.run(target)
    winner, latencies = search.rank(target, outcomes)
    best, uniforms = search.rate(winner, latencies)
    near = search.rate_near(best)
    exports = search.export(best.policy)
    seconds = time.monotonic() - started
    summary = summarise(
        str(folder.path), request.model, best, uniforms, exports, len(outcomes), seconds
    )
    rated = {"best": best, **uniforms, **near}
    given = request.budget is not None
    more = details(target, given, winner, outcomes, rated, device, request.agent)
    more |= size_details(best, near) if request.shares_weights else {}
    write_json(folder.summary, {**summary, "details": more})
    return summary


def load_subject(request: SearchRequest) -> tuple[Subject, Splits]:
    """Network, calibrated, and images that fit it. Raises ModelError, DataError."""
    config, network = load_network(
        request.model, request.weights, request.input_size, request.padding
    )
    splits = load_splits(request.data, request.calibration, request.input_size)
    for images in (splits.validation, splits.test):
        check_images(config, images)
    subject = make_subject(config, network, splits.calibration, request.observer, request.equalize)
    return subject, splits


def digests(subject: Subject, splits: Splits) -> dict[str, str]:
    """SHA-256 of weights and images: a run is not continued when a path holds something else."""
    weights = dump_bin(float_layers(subject.network))
    return {
        "weights": hashlib.sha256(weights).hexdigest(),
        "calibration": splits.calibration.digest(),
        "validation": splits.validation.digest(),
        "test": splits.test.digest(),
    }
