"""The problems that searchers are compared on: one network, three kinds of cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from env.actions import free_choices, tied_choices
from haq.board import Profile, profile_to_json, read_profile
from haq.cost import size_cost
from haq.cost.table import make_latency_cost, read_table
from haq.data import load_splits
from haq.evaluators import PolicyEvaluator, make_evaluator
from haq.local_board import local_agent
from haq.prepare import Subject, load_network, make_subject, quantizer_of, upload
from haq.progress import Silent
from haq.quantizers import make_quantizer
from haq.search.harm import measure_harm, measure_table_harm
from haq.search.problem import Limit, Problem, pairs_of
from haq.store.run_folder import read_json, write_json
from quant.evaluate import Score
from quant.naive import Arithmetic
from quant.ncnn.runtime import capabilities
from quant.policy import SIMULATED_BITS, Policy, uniform
from quant.quantized import Quantizer
from quant.recipe.table import TableQuantizer

IMAGES, PROBE_IMAGES = 200, 64
"""Validation images of an evaluation, and those of a probe of one layer."""
SHARES = {"table": 0.6, "size": 0.15}
"""Bounds: of W8A8 by the public table, of the float network's bytes.

On the board the bound is halfway from the float network's latency to the least reachable one.
"""
PROFILE = Path(__file__).with_name("profile.json")


@dataclass(frozen=True)
class Setting:
    """A problem but for its seed; `probes` counts images run to know the harms, in evaluations."""

    problem: Problem
    evaluator: PolicyEvaluator
    probes: float

    def score(self, policy: Policy) -> Score:
        """Score on all images."""
        return self.evaluator.score([policy])[0]


@cache
def packaged() -> Subject:
    """The packaged network."""
    config, network = load_network("mbv2", None, 32, "torch")
    return make_subject(config, network, load_splits("sample", None, 32).calibration, "auto")


def make_setting(name: str, table: Path | None) -> Setting:
    """A setting by name; `table` is needed for that of the public table."""
    makers: Mapping[str, Callable[[], Setting]] = {
        "table": lambda: simulated("table", table),
        "size": lambda: simulated("size", None),
        "board": on_board,
    }
    return makers[name]()


def simulated(name: str, table: Path | None) -> Setting:
    """2 to 8 bits, by the table of fitted layers."""
    subject, splits = packaged(), load_splits("sample", None, 32)
    graph = subject.network.graph
    choices = free_choices(graph.layer_names, SIMULATED_BITS)
    quantizer = make_quantizer("table", subject, splits.calibration, "simulated", Silent())
    assert isinstance(quantizer, TableQuantizer)
    if table is not None:
        costs = read_table(table).relative(graph, choices)
        model, reference = costs.model, costs.reference_cost
    else:
        model = size_cost(graph, choices)
        reference = model.cost(uniform(graph.layer_names, 32, 32))
    evaluator = evaluator_on(IMAGES, "simulated", quantizer)
    probes = evaluator_on(PROBE_IMAGES, "simulated", quantizer)
    harm = measure_table_harm(probes, choices, quantizer.tables, Silent())
    bound = SHARES[name] * reference
    problem = Problem(graph, choices, model, bound, harm, (Limit(model, bound),))
    return Setting(problem, evaluator, in_evaluations(2 * len(choices.names)))


def on_board() -> Setting:
    """8, 16 or 32 bits, by the latency that this machine's agent measures layer by layer."""
    subject = packaged()
    graph = subject.network.graph
    choices = tied_choices(graph.layer_names)
    model = make_latency_cost(graph, choices, board_profile())
    quantizer = quantizer_of(subject, "ncnn")
    evaluator = evaluator_on(IMAGES, "ncnn", quantizer)
    harm = measure_harm(evaluator_on(PROBE_IMAGES, "ncnn", quantizer), choices)
    bound = (1 + model.cost(model.least())) / 2
    problem = Problem(graph, choices, model, bound, harm, (Limit(model, bound, pairs_of(model)),))
    return Setting(problem, evaluator, in_evaluations(2 * len(choices.names)))


def evaluator_on(images: int, arithmetic: Arithmetic, quantizer: Quantizer) -> PolicyEvaluator:
    """An evaluator on the first validation images."""
    some = load_splits("sample", None, 32).validation.rows(0, images - 1)
    subject, here = packaged(), capabilities()
    return make_evaluator(subject, some, here, arithmetic, quantizer=quantizer)


def in_evaluations(probes: int) -> float:
    """What probes cost, in evaluations."""
    return probes * PROBE_IMAGES / IMAGES


def board_profile() -> Profile:
    """What this machine's agent measured when it was asked first."""
    if PROFILE.is_file():
        return read_profile(read_json(PROFILE))
    subject = packaged()
    with local_agent() as board:
        upload(subject, board)
        profile = board.profile(subject.network.graph.layer_names)
    write_json(PROFILE, profile_to_json(profile))
    return profile
