"""The stages of a search: target, probes and episodes, final ranking, final test, export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import zip_longest
from math import nan
from typing import Any

import numpy as np

from env.budget import Harm
from haq import export
from haq.board import AnyBoard, Latency, profile_to_json
from haq.checks import check_exports
from haq.cost import codebook_cost
from haq.cost.table import make_latency_cost
from haq.data import Splits
from haq.evaluators import runs_here
from haq.parallel import LocalWorkers, StartWorkers
from haq.prepare import Subject
from haq.progress import Progress, Silent
from haq.search._base import Searcher, Trial
from haq.search.checkpointed import CheckpointedSearcher
from haq.search.equal_size import uniforms_near
from haq.search.evaluation import Evaluation
from haq.search.final import FINALISTS, Winner, choose_measured, choose_simulated
from haq.search.harm import (
    TABLE_PROBE_IMAGES,
    count_probes,
    harm_to_json,
    measure_harm,
    measure_table_harm,
    probe_images,
    typical_kl,
)
from haq.search.loop import Outcome, Wait, run_episodes
from haq.search.lowered import lower
from haq.search.memory import RememberedMeter
from haq.search.problem import Problem, make_problem
from haq.search.rated import Rated
from haq.search.request import SearchRequest
from haq.search.reward import Reward, make_reward
from haq.search.searchers.agents import make_searcher
from haq.search.searchers.planned import make_start
from haq.search.searchers.uniform import uniforms_by_name
from haq.search.summary import trial_record
from haq.search.target import (
    MeasuredLatency,
    Target,
    correct,
    learn,
    load_or_measure_profile,
)
from haq.search.targets import Targets
from haq.search.together import networks_together
from haq.shared_export import check_shared, export_shared
from haq.sharing import TunedEvaluator
from haq.store import RunFolder, Store, write_json
from haq.store.lines import write_lines
from quant.graph import Graph
from quant.policy import ENGINE_BITS, Policy, uniform
from quant.recipe.table import TableQuantizer

FINAL = {"rel_ci": 0.01, "min_rounds": 40, "max_rounds": 400}
LIMITS: Mapping[str, Mapping[str, Any]] = {
    "search": {"rel_ci": 0.02, "min_rounds": 20, "max_rounds": 40},
    "final": {**FINAL, "together": True, "fresh": True},
}


class Stages:
    """The stages of one search, in the order of its methods; what they share is kept here.

    The searches of a sweep share it too: nothing is scored or measured twice among them.
    """

    def __init__(
        self,
        request: SearchRequest,
        folder: RunFolder,
        board: AnyBoard,
        progress: Progress,
        subject: Subject,
        splits: Splits,
        store: Store,
        start: StartWorkers = LocalWorkers,
    ) -> None:
        """`store` has the run of `folder`, and keeps what is scored and measured.

        `start` says who evaluates; the result does not depend on it.
        """
        self.request, self.folder, self.board, self.progress = request, folder, board, progress
        self.subject, self.splits = subject, splits
        self.capabilities = board.capabilities()
        self.choices = request.choices(self.graph)
        self._store, self._measurements = store, store.measurements(folder.run_id)
        limits = {purpose: {**limit, **request.timing} for purpose, limit in LIMITS.items()}
        self.meter = RememberedMeter(board, self._measurements, limits)
        given = request, subject, splits, self.capabilities, store, progress
        self.evaluation = Evaluation(*given, start)
        self.targets = Targets(request, self.graph, self.choices, self._measure_latency)

    @property
    def graph(self) -> Graph:
        """Of the network as loaded."""
        return self.subject.network.graph

    def find_target(self) -> Target:
        """Cost model and bound. Raises BudgetError if the bound cannot be met."""
        (target,) = self.targets.find([self.request.budget])
        return target

    def run(
        self,
        target: Target,
        folder: RunFolder,
        title: str = "search",
        earlier: Sequence[Outcome] = (),
    ) -> list[Outcome]:
        """Probe the layers, then run all episodes; the searcher knows `earlier` ones."""
        reward = self._reward(target)
        self.progress.start(title, self.request.episodes)
        trials, outcomes = self._store.trials(folder.run_id), []
        told = [Trial(o.policy, reward(o.score), {"kl": o.score.kl}, is_own=False) for o in earlier]
        problem = make_problem(self.graph, self.choices, target, self.harm, self.request.seed)
        searcher = CheckpointedSearcher(
            lambda: make_searcher(self.request.agent, problem, self.request.episodes),
            told,
            self._store.checkpoints(folder.run_id),
            [Policy.from_json(record["policy"]) for record in trials.records],
        )
        for outcome in self._episodes(target, problem, searcher, reward):
            trials.put(outcome.episode, trial_record(outcome, target.ratios(outcome.policy)))
            outcomes.append(outcome)
        write_lines(folder.trials, trials.records)
        return outcomes

    @cached_property
    def harm(self) -> Harm:
        """The KL of every layer alone, as it is written into the folder."""
        found = self._measure_harm()
        write_json(self.folder.harm, harm_to_json(found))
        return found

    def _measure_harm(self) -> Harm:
        quantizer = self.evaluation.quantizer(self.evaluation.arithmetic, final=False)
        if isinstance(quantizer, TableQuantizer):
            # Here the probes themselves are the steps of progress.
            evaluator = self.evaluation.prober(TABLE_PROBE_IMAGES, Silent())
            return measure_table_harm(evaluator, self.choices, quantizer.tables, self.progress)
        probes = count_probes(self.choices)
        most = self.request.episodes * len(self.splits.validation)
        evaluator = self.evaluation.prober(probe_images(probes, most), self.progress)
        self.progress.start("harm of each layer", probes)
        return measure_harm(evaluator, self.choices)

    def rank(
        self, target: Target, outcomes: Sequence[Outcome], is_given: bool
    ) -> tuple[Winner, dict[str, Latency]]:
        """The winner, and the latency of the uniform policies by name.

        `is_given` says that the bound is the user's. Raises BudgetError where nothing keeps it.
        """
        self.progress.start("final ranking", FINALISTS)
        uniforms = self._uniforms()
        beside = list(uniforms.values())
        if self.request.is_deployable:
            lower = partial(self._lower, target)
            complete, spare = self.evaluation.race.complete, partial(self._spare, target)
            winner = choose_measured(
                outcomes, target, complete, self.meter, beside, lower, spare, is_given
            )
        else:
            given = self.evaluation.race.complete, self.evaluation.as_exported
            winner = choose_simulated(outcomes, target, *given)
        latencies = self.meter.measure(beside, "final")
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

    def rate_choices(self) -> dict[str, Rated]:
        """The same bits everywhere, as far as the choices allow, by short name, on the test images.

        Latencies are measured where ncnn can run all choices.
        """
        policies = uniforms_by_name(self.choices, self.request.bits)
        measures = self.request.is_deployable
        latencies = self.meter.measure(list(policies.values()), "final") if measures else ()
        both = [runs_here(policy, self.capabilities) for policy in policies.values()]
        self.progress.start("uniform bits", len(both) + sum(both))
        pairs = zip_longest(policies.items(), latencies)
        return {name: self._rate(policy, latency) for (name, policy), latency in pairs}

    def rate_near(self, best: Rated) -> dict[str, Rated]:
        """Uniform k-means of about the winner's size, by short name; for shared weights alone."""
        if not self.request.shares_weights:
            return {}
        size = codebook_cost(self.graph, self.choices)
        rated = {}
        for name, policy in uniforms_near(best.size_bytes, size, self.choices.names).items():
            self.progress.start(f"uniform k-means {name}", 1)
            rated[name] = self._rate(policy, None)
        return rated

    def export(self, policy: Policy, folder: RunFolder) -> dict[str, Any]:
        """Write the networks, run them on the test images, and say what came out."""
        if self.evaluation.tuned is not None:
            return self._export_shared(self.evaluation.tuned, policy, folder)
        self.progress.start("export and check", 1)
        quantizer = self.evaluation.quantizer(self.evaluation.arithmetic, final=True)
        export.export(self.subject, policy, self.capabilities, folder, quantizer)
        found = check_exports(
            self.subject, policy, self.capabilities, folder, self.splits.test, quantizer
        )
        write_json(folder.policy, policy.to_json())
        self.progress.advance()
        return found

    def _export_shared(
        self, tuned: TunedEvaluator, policy: Policy, folder: RunFolder
    ) -> dict[str, Any]:
        """The same for shared weights, whose centroids are finetuned before."""
        layers = tuned.layers(policy)
        self.progress.start("export and check", 1)
        export_shared(self.subject, policy, layers, folder)
        found = check_shared(self.subject, layers, folder, self.splits.test)
        write_json(folder.policy, policy.to_json())
        self.progress.advance()
        (score,) = tuned.score([policy])
        numbers = {"top1": score.top1, "kl": score.kl, "agreement": score.agreement}
        return {**found, "finetuned": numbers}

    def _rate(self, policy: Policy, latency: Latency | None) -> Rated:
        scores = self.evaluation.rater.scores(policy)
        return Rated(policy, scores, latency, self.evaluation.size(policy))

    def _uniforms(self) -> dict[str, Policy]:
        return {str(bits): uniform(self.choices.names, bits, bits) for bits in ENGINE_BITS}

    def _measure_latency(self) -> MeasuredLatency:
        names, timing = self.graph.weighted_names, self.request.timing
        profile = load_or_measure_profile(
            self.board, names, self._measurements, self.progress, **timing
        )
        write_json(self.folder.profile, profile_to_json(profile))
        model = make_latency_cost(self.graph, self.choices, profile)
        return correct(model, self.meter, self.request.seed, networks_together(self.graph))

    def _reward(self, target: Target) -> Reward:
        rng = np.random.default_rng(self.request.seed)
        typical = typical_kl(self.choices, target.model, target.bound, self.harm, rng)
        floats = self.evaluation.race.float_top1, typical, self.evaluation.float_metric
        return make_reward(self.request.earns, *floats)

    def _episodes(
        self, target: Target, problem: Problem, searcher: Searcher, reward: Reward
    ) -> Iterator[Outcome]:
        return run_episodes(
            searcher,
            self.evaluation.race,
            reward,
            target.model.cost,
            lambda policies: self._measure(target, policies),
            self.request.episodes,
            self.request.parallel,
            make_start(self.request.begins_with, problem),
            self.request.agent,
        )

    def _lower(self, target: Target, missed: Outcome, latency: Latency) -> list[Outcome]:
        """What is made faster of a finalist that missed the bound of latency."""
        policy = lower(missed.policy, latency, target, self.harm)
        return [] if policy is None else [self._unasked(target, "lowered", policy)]

    def _spare(self, target: Target) -> Outcome:
        """The cheapest policy, in case that nothing else keeps the bound."""
        return self._unasked(target, "least", target.model.least())

    def _unasked(self, target: Target, origin: str, policy: Policy) -> Outcome:
        """A policy that no episode proposed, on all images."""
        (score,) = self.evaluation.race.complete([policy])
        return Outcome(0, origin, policy, score, target.model.cost(policy), nan, None)

    def _measure(self, target: Target, policies: list[Policy]) -> Wait:
        model = target.latency
        if model is None:
            return lambda: [None] * len(policies)
        wait = self.meter.begin(policies, "search")

        def finish() -> list[Latency]:
            latencies = wait()
            learn(model, policies, latencies)
            return latencies

        return finish
