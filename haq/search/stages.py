"""The stages of a search: target, probes and episodes, final ranking, final test, export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from math import nan
from typing import Any

import numpy as np

from env.budget import Harm
from haq import export
from haq.board import AnyBoard, Latency
from haq.checks import check_exports
from haq.cost import Budget, codebook_cost, energy_cost, read_energy, size_cost
from haq.cost.relative import relative
from haq.cost.table import make_latency_cost
from haq.data import Images, Splits
from haq.evaluators import PolicyEvaluator, make_evaluator, runs_here
from haq.prepare import (
    Subject,
)
from haq.progress import Progress, Silent
from haq.quantizers import QuantizerName, make_quantizer
from haq.search.equal_size import uniforms_near
from haq.search.final import Winner, choose_measured, choose_simulated
from haq.search.harm import count_probes, measure_harm, probe_images, typical_kl
from haq.search.loop import Outcome, run_episodes
from haq.search.memory import RememberedEvaluator, RememberedImages, RememberedMeter
from haq.search.problem import Problem, make_problem
from haq.search.racing import RacingEvaluator
from haq.search.rated import Rated
from haq.search.rater import Rater
from haq.search.request import SearchRequest
from haq.search.reward import Reward, make_reward
from haq.search.searchers.agents import make_searcher
from haq.search.searchers.planned import make_start
from haq.search.summary import trial_record
from haq.search.target import (
    Target,
    additive_target,
    exact_target,
    joined,
    latency_target,
    load_or_measure_profile,
    observe,
)
from haq.shared_export import check_shared, export_shared
from haq.sharing import TunedEvaluator, kmeans_quantizer
from haq.store import Journal, RunFolder, write_json
from haq.ways import How
from quant.graph import Graph
from quant.naive import Arithmetic
from quant.policy import ENGINE_BITS, Policy, uniform
from quant.quantized import Quantizer

BATCH = 8
"""Episodes whose policies the board measures together."""
FINAL = {"rel_ci": 0.01, "min_rounds": 40, "max_rounds": 400}
LIMITS: Mapping[str, Mapping[str, Any]] = {
    "search": {"rel_ci": 0.02, "min_rounds": 20, "max_rounds": 40},
    "final": {**FINAL, "together": True, "fresh": True},
}


class Stages:
    """The stages of one search, in the order of its methods; what they share is kept here."""

    def __init__(
        self,
        request: SearchRequest,
        folder: RunFolder,
        board: AnyBoard,
        progress: Progress,
        subject: Subject,
        splits: Splits,
    ) -> None:
        self.request, self.folder, self.board, self.progress = request, folder, board, progress
        self.subject, self.splits = subject, splits
        self.capabilities = board.capabilities()
        self.choices = request.choices(self.graph.layer_names)
        self.journal = Journal(folder.measurements)
        limits = {purpose: {**limit, **request.timing} for purpose, limit in LIMITS.items()}
        self.meter = RememberedMeter(board, self.journal, limits)
        shares = request.shares_weights
        self.sharing = kmeans_quantizer(subject, splits.calibration) if shares else None
        self.tuned = (
            TunedEvaluator(subject, self.sharing, splits.calibration, splits.test, progress)
            if self.sharing
            else None
        )
        self._quantizers: dict[str, Quantizer] = {}

    @property
    def graph(self) -> Graph:
        """Of the network as loaded."""
        return self.subject.network.graph

    @property
    def arithmetic(self) -> Arithmetic:
        """ncnn's where ncnn can run every policy that may be proposed."""
        return "ncnn" if self.request.is_deployable else "simulated"

    def find_target(self) -> Target:
        """Cost model and bound. Raises BudgetError if the bound cannot be met."""
        budgets = self.request.budget
        if budgets is None:
            return self._measured_target(None)
        # What needs no measuring first: it may fail.
        ordered = sorted(budgets, key=lambda budget: budget.kind == "latency")
        return joined([self._target(budget) for budget in ordered], self.choices)

    def _target(self, budget: Budget) -> Target:
        table = self.request.table
        if budget.kind == "energy":
            prices = self.request.energy or read_energy()
            model = energy_cost(self.graph, self.choices, prices)
            costs = relative(model, self.choices.names, prices.reference)
            return exact_target("energy", budget, costs)
        if budget.kind != "latency":
            size = codebook_cost if self.sharing else size_cost
            return additive_target(budget, self.graph, self.choices, size)
        if table is not None:
            return exact_target("table", budget, table.relative(self.graph, self.choices))
        return self._measured_target(budget)

    def _measured_target(self, budget: Budget | None) -> Target:
        names = self.choices.names
        profile = load_or_measure_profile(
            self.board, names, self.folder, self.progress, **self.request.timing
        )
        model = make_latency_cost(self.choices, profile)
        return latency_target(budget, model, self.meter, self.request.seed)

    def run(self, target: Target) -> list[Outcome]:
        """Probe the layers, then run all episodes."""
        harm = self._probe()
        typical = typical_kl(
            self.choices, target.model, target.bound, harm, np.random.default_rng(self.request.seed)
        )
        reward = make_reward(self.request.earns, self.race.float_top1, typical)
        self.progress.start("search", self.request.episodes)
        return self._episodes(
            target, make_problem(self.graph, self.choices, target, harm, self.request.seed), reward
        )

    def rank(
        self, target: Target, outcomes: Sequence[Outcome]
    ) -> tuple[Winner, dict[str, Latency]]:
        """The winner, and the latency of the uniform policies by name."""
        self.progress.start("final measurement", 1)
        uniforms = self._uniforms()
        beside = list(uniforms.values())
        if self.request.is_deployable:
            spare = self._spare(target)
            winner = choose_measured(
                outcomes, target, self.race.complete, self.meter, beside, spare
            )
        else:
            winner = choose_simulated(outcomes, target, self.race.complete)
        latencies = self.meter.measure(beside, "final")
        self.progress.advance()
        return winner, dict(zip(uniforms, latencies, strict=True))

    def rate(
        self, winner: Winner, latencies: Mapping[str, Latency]
    ) -> tuple[Rated, dict[str, Rated]]:
        """The winner and the uniform policies on the test images.

        Each in the arithmetic that would run it: beside a latency of ncnn stands ncnn's accuracy.
        """
        uniforms, best = self._uniforms(), winner.outcome.policy
        both = [runs_here(policy, self.capabilities) for policy in (best, *uniforms.values())]
        self.progress.start("final test", len(both) + sum(both))
        rated = {name: self._rate(policy, latencies[name]) for name, policy in uniforms.items()}
        return self._rate(best, winner.latency), rated

    def rate_near(self, best: Rated) -> dict[str, Rated]:
        """Uniform k-means of about the winner's size, by short name; for shared weights alone."""
        if not self.sharing:
            return {}
        size = codebook_cost(self.graph, self.choices)
        rated = {}
        for name, policy in uniforms_near(best.size_bytes, size, self.choices.names).items():
            self.progress.start(f"uniform k-means {name}", 1)
            rated[name] = self._rate(policy, None)
        return rated

    def export(self, policy: Policy) -> dict[str, Any]:
        """Write the networks, run them on the test images, and say what came out."""
        if self.tuned is not None:
            return self._export_shared(self.tuned, policy)
        self.progress.start("export and check", 1)
        quantizer = self._quantizer(self.arithmetic, final=True)
        export.export(self.subject, policy, self.capabilities, self.folder, quantizer)
        found = check_exports(
            self.subject, policy, self.capabilities, self.folder, self.splits.test, quantizer
        )
        write_json(self.folder.policy, policy.to_json())
        self.progress.advance()
        return found

    def _export_shared(self, tuned: TunedEvaluator, policy: Policy) -> dict[str, Any]:
        """The same for shared weights, whose centroids are finetuned before."""
        layers = tuned.layers(policy)
        self.progress.start("export and check", 1)
        export_shared(self.subject, policy, layers, self.folder)
        found = check_shared(self.subject, layers, self.folder, self.splits.test)
        write_json(self.folder.policy, policy.to_json())
        self.progress.advance()
        (score,) = tuned.score([policy])
        numbers = {"top1": score.top1, "kl": score.kl, "agreement": score.agreement}
        return {**found, "finetuned": numbers}

    def _rate(self, policy: Policy, latency: Latency | None) -> Rated:
        return Rated(policy, self._rater.scores(policy), latency, self._size(policy))

    @cached_property
    def _rater(self) -> Rater:
        test = self.splits.test
        arithmetics: set[Arithmetic] = {"ncnn", self.arithmetic}
        own = {kind: self._evaluator(test, "test", kind) for kind in arithmetics}
        in_torch = self._evaluator(test, "test in torch", "ncnn", "torch")
        tuned = (
            # Its steps are epochs, and counted already.
            RememberedEvaluator(self.tuned, self.journal, "test finetuned", Silent())
            if self.tuned
            else None
        )
        return Rater(own, in_torch, tuned, partial(runs_here, capabilities=self.capabilities))

    def _uniforms(self) -> dict[str, Policy]:
        return {str(bits): uniform(self.choices.names, bits, bits) for bits in ENGINE_BITS}

    def _probe(self) -> Harm:
        validation = self.splits.validation
        probes = count_probes(self.choices)
        some = validation.rows(0, min(probe_images(probes), len(validation)) - 1)
        evaluator = self._evaluator(some, "probe", self.arithmetic)
        self.progress.start("harm of each layer", probes)
        return measure_harm(evaluator, self.choices)

    @cached_property
    def race(self) -> RacingEvaluator:
        """Scores on the validation images, as few as it takes."""
        images = self.splits.validation
        evaluator = self._policies_on(images, "validation", self.arithmetic)
        return RacingEvaluator(
            RememberedImages(evaluator.see, self.journal, "validation"),
            evaluator.float_logits,
            images.labels,
            seed=self.request.seed,
            advance=self.progress.advance,
        )

    def _evaluator(
        self, images: Images, part: str, arithmetic: Arithmetic, how: How = "auto"
    ) -> RememberedEvaluator:
        evaluator = self._policies_on(images, part, arithmetic, how)
        return RememberedEvaluator(evaluator, self.journal, part, self.progress)

    def _policies_on(
        self, images: Images, part: str, arithmetic: Arithmetic, how: How = "auto"
    ) -> PolicyEvaluator:
        quantizer = self._quantizer(arithmetic, final=part == "test")
        return make_evaluator(
            self.subject, images, self.capabilities, arithmetic, how, quantizer=quantizer
        )

    def _quantizer(self, arithmetic: Arithmetic, final: bool) -> Quantizer:
        """Episodes pick from a table; what is kept in the end is quantized as a whole."""
        if self.sharing is not None and arithmetic == "simulated":
            return self.sharing
        asked = self.request.quantizer
        name: QuantizerName = "table" if asked == "best" and not final else asked
        key = f"{name} {arithmetic}"
        if key not in self._quantizers:
            self._quantizers[key] = make_quantizer(
                name,
                self.subject,
                self.splits.calibration,
                arithmetic,
                self.progress,
            )
        return self._quantizers[key]

    def _size(self, policy: Policy) -> int:
        if policy.is_deployable:
            return export.weight_bytes(self.subject, policy, self.capabilities)
        make = codebook_cost if self.sharing else size_cost
        return int(make(self.graph, self.choices).cost(policy))

    def _episodes(
        self,
        target: Target,
        problem: Problem,
        reward: Reward,
    ) -> list[Outcome]:
        episodes, agent = self.request.episodes, self.request.agent
        searcher = make_searcher(agent, problem, episodes)
        written = Journal(self.folder.trials)
        outcomes = []
        for outcome in run_episodes(
            searcher,
            self.race,
            reward,
            target.model.cost,
            lambda policies: self._measure(target, policies),
            episodes,
            BATCH,
            make_start(self.request.begins_with, problem),
            agent,
        ):
            written.put(outcome.episode, trial_record(outcome, target.ratios(outcome.policy)))
            outcomes.append(outcome)
        return outcomes

    def _spare(self, target: Target) -> Iterator[list[Outcome]]:
        """The cheapest policy, in case that nothing else keeps the bound."""
        policy = target.model.least()
        (score,) = self.race.complete([policy])
        yield [Outcome(0, "least", policy, score, target.model.cost(policy), nan, None)]

    def _measure(self, target: Target, policies: list[Policy]) -> Sequence[Latency | None]:
        if target.latency is None:
            return [None] * len(policies)
        known = observe(target.latency, self.meter, policies)
        return [known[policy.key()] for policy in policies]
