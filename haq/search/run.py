"""A whole search: from a request to a folder with the best policy, its networks and a summary."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from env.budget import Harm, walk
from haq import export
from haq.board import Board, Latency
from haq.checks import check_exports
from haq.data import Splits, load_splits
from haq.prepare import (
    Subject,
    check_labels,
    check_pixels,
    load_network,
    make_evaluator,
    make_subject,
)
from haq.progress import Progress
from haq.search.ddpg import DdpgConstants, DdpgSearcher
from haq.search.final import Winner, choose_measured, choose_simulated
from haq.search.harm import measure_harm, probed
from haq.search.loop import Outcome, run_episodes
from haq.search.memory import RememberedEvaluator, RememberedMeter
from haq.search.request import SearchRequest
from haq.search.reward import make_reward
from haq.search.target import (
    Target,
    additive_target,
    latency_target,
    load_or_measure_profile,
    make_latency_cost,
    observe,
)
from haq.store import Journal, RunFolder, write_json
from quant.errors import BudgetError
from quant.evaluate import FakeQuantEvaluator, Score
from quant.fake_quant import Arithmetic
from quant.graph import Graph
from quant.ncnn.build import float_layers
from quant.ncnn.capabilities import Capabilities
from quant.policy import ENGINE_BITS, Policy, uniform

BATCH = 8
LIMITS: Mapping[str, Mapping[str, Any]] = {
    "search": {"rel_ci": 0.02, "min_rounds": 20, "max_rounds": 40},
    "final": {"rel_ci": 0.01, "min_rounds": 40, "max_rounds": 200},
}
FLOAT = 32


@dataclass(frozen=True)
class Rated:
    """A policy on images that no search has seen, its latency and the bytes of its weights."""

    score: Score
    latency: Latency | None
    size_bytes: int


def run_search(
    request: SearchRequest, folder: RunFolder, board: Board, progress: Progress
) -> dict[str, Any]:
    """Search, export, check, and return the summary; nothing is written before the input is good.

    Raises InputError for what cannot be used, BudgetError for a bound that cannot be met,
    BoardError where the board fails.
    """
    started = time.monotonic()
    subject, splits = load_subject(request)
    capabilities = board.capabilities()
    shape = subject.config.channels, request.input_size, request.input_size
    is_new = not folder.open({**request.to_json(), "board": asdict_of_board(board)})
    board.upload(float_layers(subject.network), subject.ranges.engine_thresholds(), shape)
    search = _Search(request, folder, board, progress, subject, splits, capabilities)
    try:
        target = search.find_target()
    except BudgetError:
        if is_new:
            shutil.rmtree(folder.path)
        raise
    outcomes = search.run(target)
    winner, uniforms = search.rank(target, outcomes)
    rated = search.rate(winner, uniforms)
    exports = search.export(winner.outcome.policy)
    seconds = time.monotonic() - started
    summary = summarise(request, folder, winner, rated, exports, len(outcomes), seconds)
    write_json(folder.summary, {**summary, "details": search.details(target, winner, rated)})
    return summary


def load_subject(request: SearchRequest) -> tuple[Subject, Splits]:
    """Network, calibrated, and images that fit it. Raises ModelError, DataError."""
    config, network = load_network(
        request.model, request.weights, request.input_size, request.padding
    )
    splits = load_splits(request.data, request.calibration, request.input_size)
    for images in (splits.validation, splits.test):
        check_pixels(config, images)
        check_labels(config, images)
    return make_subject(config, network, splits.calibration, request.observer), splits


def asdict_of_board(board: Board) -> dict[str, Any]:
    """What identifies a board: a run is continued on the same kind only."""
    device = board.describe()
    return {"cpu": device.cpu, "bits16": device.bits16, "ncnn": device.ncnn_version}


class _Search:
    """The stages of one search; what several of them share is kept here."""

    def __init__(
        self,
        request: SearchRequest,
        folder: RunFolder,
        board: Board,
        progress: Progress,
        subject: Subject,
        splits: Splits,
        capabilities: Capabilities,
    ) -> None:
        self.request, self.folder, self.board, self.progress = request, folder, board, progress
        self.subject, self.splits, self.capabilities = subject, splits, capabilities
        self.choices = request.choices(self.graph.layer_names)
        self.journal = Journal(folder.measurements)
        self.meter = RememberedMeter(board, self.journal, LIMITS)
        self.evaluator = self._remembered(splits.validation, "validation")

    @property
    def graph(self) -> Graph:
        return self.subject.network.graph

    @property
    def arithmetic(self) -> Arithmetic:
        return "ncnn" if self.request.is_deployable else "simulated"

    def run(self, target: Target) -> list[Outcome]:
        """Probe the layers and run all episodes."""
        probes = sum(len(probed(self.choices, name)) for name in self.choices.names)
        self.progress.start("harm of each layer", probes)
        harm = measure_harm(self.evaluator, self.choices)
        start = walk(self._most_bits(), self.choices, target.model, target.bound, harm)
        self.progress.start("search", self.request.episodes)
        return self._episodes(target, harm, start)

    def rank(
        self, target: Target, outcomes: Sequence[Outcome]
    ) -> tuple[Winner, dict[str, Latency]]:
        """The winner, and the latency of the uniform policies by name."""
        self.progress.start("final measurement", 1)
        uniforms = {str(b): uniform(self.choices.names, b, b) for b in ENGINE_BITS}
        beside = list(uniforms.values())
        if self.request.is_deployable:
            winner = choose_measured(outcomes, target, self.meter, beside)
        else:
            winner = choose_simulated(outcomes, target)
        latencies = self.meter.measure(beside, "final")
        self.progress.advance()
        return winner, dict(zip(uniforms, latencies, strict=True))

    def rate(self, winner: Winner, uniforms: Mapping[str, Latency]) -> dict[str, Rated]:
        """Final scores of `best` and the uniform policies, on the test images."""
        evaluator = self._remembered(self.splits.test, "test")
        self.progress.start("final test", 1 + len(uniforms))
        policies = {"best": winner.outcome.policy}
        policies |= {name: uniform(self.choices.names, int(name), int(name)) for name in uniforms}
        latencies = {"best": winner.latency, **uniforms}
        return {
            name: Rated(evaluator.score([policy])[0], latencies[name], self._size(policy))
            for name, policy in policies.items()
        }

    def export(self, policy: Policy) -> dict[str, Any]:
        """Write the networks, run them on the test images, and say what came out."""
        self.progress.start("export and check", 1)
        export.export(self.subject, policy, self.capabilities, self.folder)
        found = check_exports(
            self.subject, policy, self.capabilities, self.folder, self.splits.test
        )
        write_json(self.folder.policy, policy.to_json())
        self.progress.advance()
        return found

    def details(self, target: Target, winner: Winner, rated: Mapping[str, Rated]) -> dict[str, Any]:
        """What the report shows beyond the summary."""
        device = asdict(self.board.describe())
        return {
            "budget": {
                "kind": target.kind,
                "ratio": target.ratio,
                "float_cost": target.float_cost,
                "given": self.request.budget is not None,
            },
            "arithmetic": self.arithmetic,
            "origin": winner.outcome.origin,
            "episode": winner.outcome.episode,
            "cost_ratio": winner.outcome.cost / target.float_cost,
            "agreement": {name: one.score.agreement for name, one in rated.items()},
            "images": rated["best"].score.images,
            "latency": {n: asdict(one.latency) for n, one in rated.items() if one.latency},
            "device": {**device, "types16": sorted(device["types16"])},
            "macs": sum(layer.macs for layer in self.graph.layers),
        }

    def _remembered(self, images: Any, part: str) -> RememberedEvaluator:
        evaluator: FakeQuantEvaluator = make_evaluator(
            self.subject, images, self.capabilities, self.arithmetic
        )
        return RememberedEvaluator(evaluator, self.journal, part, self.progress)

    def find_target(self) -> Target:
        """Cost model and bound. Raises BudgetError if the bound cannot be met."""
        budget = self.request.budget
        if budget is not None and budget.kind != "latency":
            return additive_target(budget, self.graph, self.choices)
        profile = load_or_measure_profile(
            self.board, self.choices.names, self.folder, self.progress
        )
        model = make_latency_cost(self.choices, profile)
        return latency_target(budget, model, self.meter, self.request.seed)

    def _most_bits(self) -> Policy:
        return Policy({name: self.choices.alternatives(name)[-1] for name in self.choices.names})

    def _size(self, policy: Policy) -> int:
        if policy.is_deployable:
            return export.weight_bytes(self.subject, policy, self.capabilities)
        from haq.cost import size_cost

        return int(size_cost(self.graph, self.choices).cost(policy))

    def _episodes(self, target: Target, harm: Harm, start: Policy) -> list[Outcome]:
        request = self.request
        float_score = self.evaluator.score([uniform(self.choices.names, FLOAT, FLOAT)])[0]
        typical_kl = self.evaluator.score([start])[0].kl
        searcher = DdpgSearcher(
            self.graph,
            self.choices,
            target.model,
            target.bound,
            harm,
            DdpgConstants(warmup=min(DdpgConstants.warmup, request.episodes // 4)),
            request.seed,
        )
        written = Journal(self.folder.trials)
        outcomes = []
        for outcome in run_episodes(
            searcher,
            self.evaluator,
            make_reward(request.reward, float_score.top1, typical_kl),
            target.model.cost,
            lambda policies: self._measure(target, policies),
            request.episodes,
            BATCH,
            [start],
        ):
            if outcome.episode > len(written.records):
                written.append(trial_record(outcome))
            outcomes.append(outcome)
        return outcomes

    def _measure(self, target: Target, policies: list[Policy]) -> Sequence[Latency | None]:
        if target.latency is None:
            return [None] * len(policies)
        known = observe(target.latency, self.meter, policies)
        return [known[policy.key()] for policy in policies]


def trial_record(outcome: Outcome) -> dict[str, Any]:
    """One line of `trials.jsonl`."""
    latency = outcome.latency
    return {
        "episode": outcome.episode,
        "origin": outcome.origin,
        **asdict(outcome.score),
        "reward": outcome.reward,
        "cost": outcome.cost,
        "latency_ratio": latency.ratio if latency else None,
        "latency_ms": latency.latency_ms if latency else None,
        "policy": outcome.policy.to_json(),
    }


def summarise(
    request: SearchRequest,
    folder: RunFolder,
    winner: Winner,
    rated: Mapping[str, Rated],
    exports: Mapping[str, Any],
    episodes: int,
    seconds: float,
) -> dict[str, Any]:
    """The result as `--json` prints it."""
    entries = {name: rated_entry(one) for name, one in rated.items()}
    return {
        "run": str(folder.path),
        "model": request.model,
        "best": {"policy": winner.outcome.policy.to_json(), **entries.pop("best")},
        "uniform": entries,
        "exports": dict(exports),
        "episodes": episodes,
        "seconds": round(seconds, 1),
    }


def rated_entry(rated: Rated) -> dict[str, Any]:
    """The numbers of one policy."""
    latency = rated.latency
    return {
        "top1": rated.score.top1,
        "kl": rated.score.kl,
        "latency_ratio": latency.ratio if latency else None,
        "latency_ms": latency.latency_ms if latency else None,
        "size_bytes": rated.size_bytes,
    }
