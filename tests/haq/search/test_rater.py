from __future__ import annotations

from haq.search.memory import Evaluator
from haq.search.rater import Rater
from quant.naive import Arithmetic
from quant.policy import Bits, Policy
from tests.haq.search.doubles import HarmEvaluator, tied

DEPLOYABLE, SHARED = tied(8, 16), Policy({"l0": Bits(3, 32), "l1": Bits(2, 32)})
EVERY = [Bits(8, 8), Bits(16, 16), Bits(3, 32), Bits(2, 32)]


def evaluator(kl: float) -> HarmEvaluator:
    """Scores every policy of two layers with the same KL."""
    return HarmEvaluator({name: dict.fromkeys(EVERY, kl / 2) for name in ("l0", "l1")})


def rater(here: bool, tuned: bool) -> Rater:
    own: dict[Arithmetic, Evaluator] = {"ncnn": evaluator(0.1), "simulated": evaluator(0.2)}
    finetuned = evaluator(0.4) if tuned else None
    return Rater(own, evaluator(0.3), finetuned, lambda policy: here and policy.is_deployable)


def kls(rater: Rater, policy: Policy) -> dict[str, float]:
    return {kind: score.kl for kind, score in rater.scores(policy).items()}


def test_what_ncnn_runs_here_is_executed_and_simulated() -> None:
    assert kls(rater(here=True, tuned=True), DEPLOYABLE) == {"executed": 0.1, "simulated": 0.3}


def test_what_runs_elsewhere_alone_is_not_called_executed() -> None:
    assert kls(rater(here=False, tuned=False), DEPLOYABLE) == {"simulated": 0.1}


def test_shared_weights_are_finetuned_beside() -> None:
    assert kls(rater(here=True, tuned=True), SHARED) == {"simulated": 0.2, "finetuned": 0.4}
    assert kls(rater(here=True, tuned=False), SHARED) == {"simulated": 0.2}
