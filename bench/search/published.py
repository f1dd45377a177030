"""What a sweep over HAQ's published budgets came to: `python -m bench.search.published RUN`.

Beside what was found stand uniform bits, once with 8 bits in the first and the last layer and once
with the same bits everywhere but for the image, of 8 bits. Both cost 2 to 7 % more than the
budgets, which are about those of the same bits everywhere, the image among them. HAQ's own strategy
is scored, too, as it is quantized here, without finetuning.

The run is one of `haq search` with HAQ's public table, on the pretrained MobileNetV2 without any
finetuning: `haq search --weights mbv2_imagenet_tfsame.safetensors --input 224 --padding same
--calibration IMAGES:0-99 --data IMAGES:100-999 --bits 2-8 --table haq_bismo_mbv2_53x8x8.npy
--budget latency=0.392x,0.524x,0.669x --episodes N --out RUN`. The budgets are those of the paper's
table 3 in the cloud, where uniform 4, 5 and 6 bits stand. With `latency=0.417x,0.5432x,0.6829x`
what is found costs as much as these. What is known of other bounds is kept.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from haq.cost import parse_budget
from haq.evaluators import make_evaluator
from haq.policies import IMAGE, from_pairs
from haq.progress import Silent
from haq.quantizers import make_quantizer
from haq.search.resume import read_run
from haq.search.run import load_subject
from haq.store.run_folder import read_json
from quant.errors import InputError
from quant.ncnn.runtime import capabilities
from quant.policy import Policy

RESULTS = Path(__file__).with_name("published.json")
STRATEGY = Path(__file__).with_name("haq_strategy.json")
"""HAQ's strategy for 0.6 of the latency of its table, from its README (Wang et al. 2019)."""
UNIFORM = {4: 0.392, 5: 0.524, 6: 0.669}
"""Uniform bits and the published budget that each of them stands for."""
Numbers = Mapping[str, float]
Score = Callable[[Policy], Numbers]
"""`cost_ratio`, `top1` and `kl` of a policy, quantized as what was found."""


def summarise(
    run: Mapping[str, Any], names: Sequence[str], score: Score, float_top1: float
) -> dict[str, Any]:
    """A row for each bound: loss of top-1 in points and KL, of what was found and of uniform."""
    details, rows = run["details"], {}
    for entry in run["front"]:
        bits = uniform_of(entry["bound"])
        ends8 = details["uniform"][f"w{bits}a{bits}"]
        everywhere = score(from_pairs(uniform_pairs(bits, len(names)), names))
        rows[entry["bound"]] = {
            "found": row(entry, float_top1),
            "uniform_ends_8": {"bits": bits, **row(ends8, float_top1)},
            "uniform": {"bits": bits, **row(everywhere, float_top1)},
            "kl_saved_to_ends_8": 1 - entry["kl"] / ends8["kl"],
            "kl_saved": 1 - entry["kl"] / everywhere["kl"],
        }
    strategy = score(from_pairs(read_json(STRATEGY), names))
    return {
        "images": details["images"],
        "float_top1": float_top1,
        "rows": rows,
        "haq_strategy": row(strategy, float_top1),
    }


def uniform_of(bound: str) -> int:
    """Uniform bits of about the cost of a bound, which is a multiple."""
    ratio = parse_budget(bound).amount
    return min(UNIFORM, key=lambda bits: abs(UNIFORM[bits] - ratio))


def uniform_pairs(bits: int, layers: int) -> list[list[int]]:
    """The same bits for all weights and activations; the image has its 8."""
    return [[bits, IMAGE], *([bits, bits] for _ in range(layers - 1))]


def row(one: Numbers, float_top1: float) -> dict[str, float]:
    """Cost as a share of W8A8, and what is lost."""
    loss = 100 * (float_top1 - one["top1"])
    return {"cost_ratio": one["cost_ratio"], "top1_loss_points": loss, "kl": one["kl"]}


def make_score(path: Path) -> tuple[Score, Sequence[str], float]:
    """Scores on the test images of a run, the names of its layers, and the float top-1."""
    request, _ = read_run(path)
    subject, splits = load_subject(request)
    graph = subject.network.graph
    quantizer = make_quantizer("best", subject, splits.calibration, "simulated", Silent())
    evaluator = make_evaluator(
        subject, splits.test, capabilities(), "simulated", quantizer=quantizer
    )
    if request.table is None:
        raise InputError(f"{path} is no search by a table")
    costs = request.table.relative(graph, request.choices(graph))

    def score(policy: Policy) -> Numbers:
        (found,) = evaluator.score([policy])
        ratio = costs.model.cost(policy) / costs.reference_cost
        return {"cost_ratio": ratio, "top1": found.top1, "kl": found.kl}

    return score, graph.layer_names, evaluator.float_top1


def main() -> None:
    """Read the run, score what stands beside it, write and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m bench.search.published", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the sweep")
    path = parser.parse_args().run
    run, settings = read_json(path / "summary.json"), read_json(path / "run.json")
    score, names, float_top1 = make_score(path)
    found = summarise(run, names, score, float_top1)
    how = {"episodes_a_bound": settings["episodes"], "seconds": run["seconds"]}
    known = read_json(RESULTS)["rows"] if RESULTS.is_file() else {}
    found["rows"] = {**known, **{bound: {**row, **how} for bound, row in found["rows"].items()}}
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
