"""Scores of a policy by everything that can compute it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from haq.prepare import arithmetic_of
from haq.search.memory import Evaluator
from haq.search.rated import ScoreKind
from quant.evaluate import Score
from quant.naive import Arithmetic
from quant.policy import Policy


@dataclass(frozen=True)
class Rater:
    """Evaluators on the same images.

    `own` computes a policy as `auto` does in its arithmetic, `in_torch` by fake quantization in
    ncnn's, `tuned` with finetuned centroids where weights are shared. `runs_here` tells whether
    `own` is ncnn itself.
    """

    own: Mapping[Arithmetic, Evaluator]
    in_torch: Evaluator
    tuned: Evaluator | None
    runs_here: Callable[[Policy], bool]

    def scores(self, policy: Policy) -> dict[ScoreKind, Score]:
        """Scores by kind; "simulated" is always among them."""
        (score,) = self.own[arithmetic_of(policy)].score([policy])
        if self.runs_here(policy):
            return {"executed": score, "simulated": self.in_torch.score([policy])[0]}
        if self.tuned is not None and not policy.is_deployable:
            return {"simulated": score, "finetuned": self.tuned.score([policy])[0]}
        return {"simulated": score}
