from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from haq.search.image_order import Rows
from haq.search.memory import Evaluator
from haq.search.racing import LEAST_IMAGES, SHARES, RacingEvaluator
from quant.evaluate import Score, compare
from quant.graph import Floats
from quant.policy import Policy
from tests.haq.search.doubles import tied

IMAGES, CLASSES, KEEP = 400, 10, 5
PILOTS = [tied(*bits) for bits in ((5, 6, 7), (6, 7, 5), (7, 5, 6), (6, 6, 6))]
OTHERS = [tied(a, b, c) for a in range(4, 9) for b in range(4, 9) for c in range(4, 9)]
OTHERS = [policy for policy in OTHERS if policy not in PILOTS]


class NoisyNet:
    """A float network, and noise on its logits that halves with every bit.

    The float network is sure of some images and not of others. Notes what it is asked.
    """

    def __init__(self, images: int = IMAGES) -> None:
        rng = np.random.default_rng(0)
        sharpness = rng.lognormal(0.5, 0.8, (images, 1))
        self.float_logits = (sharpness * rng.normal(0, 2, (images, CLASSES))).astype(np.float32)
        self.labels = (self.float_logits + rng.normal(0, 2, self.float_logits.shape)).argmax(1)
        self.asked: dict[str, list[int]] = defaultdict(list)

    def __call__(self, policy: Policy, rows: Rows) -> Floats:
        self.asked[policy.key()] += rows.tolist()
        return self.all_logits(policy)[rows]

    def all_logits(self, policy: Policy) -> Floats:
        size = sum(2.0**-bits.weight for bits in policy.layers.values())
        rng = np.random.default_rng(int(policy.key()[:8], 16))
        noise = size * rng.normal(0, 2, self.float_logits.shape)
        return self.float_logits + noise.astype(np.float32)

    def full(self, policy: Policy) -> Score:
        return compare(self.all_logits(policy), self.float_logits, self.labels)


def racing(
    net: NoisyNet, keep: int = KEEP, known: dict[str, Score] | None = None
) -> RacingEvaluator:
    return RacingEvaluator(net, net.float_logits, net.labels, PILOTS, keep, known=known)


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's tau: the share of pairs in the same order, less that of pairs in the other."""
    a, b = np.array(one), np.array(other)
    signs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
    return float(signs.sum() / (len(a) * (len(a) - 1)))


def close(found: Score, full: Score) -> None:
    assert found.kl == pytest.approx(full.kl, rel=1e-9)
    assert found.top1 == pytest.approx(full.top1)
    assert found.agreement == pytest.approx(full.agreement)
    assert found.images == full.images


def test_the_best_run_on_all_images_and_the_others_are_ranked_by_some() -> None:
    net = NoisyNet()
    evaluator: Evaluator = (raced := racing(net))
    scores = evaluator.score(OTHERS)
    full = [net.full(policy) for policy in OTHERS]
    for row in np.argsort([score.kl for score in full])[:KEEP]:
        close(scores[row], full[row])
    assert kendall([s.kl for s in scores], [s.kl for s in full]) >= 0.9
    assert raced.evaluated <= 0.3 * IMAGES * len(OTHERS)
    assert evaluator.float_top1 == float((net.float_logits.argmax(1) == net.labels).mean())


def test_scores_of_stopped_policies_are_near_the_full_ones() -> None:
    net = NoisyNet()
    stopped = [
        (score, net.full(policy))
        for score, policy in zip(racing(net).score(OTHERS), OTHERS, strict=True)
        if score.images < IMAGES
    ]
    assert len(stopped) > len(OTHERS) / 2
    assert np.mean([abs(np.log(s.kl / full.kl)) for s, full in stopped]) < 0.12
    assert np.mean([s.kl / full.kl for s, full in stopped]) == pytest.approx(1.0, abs=0.05)
    assert np.mean([abs(s.top1 - full.top1) for s, full in stopped]) < 0.02
    assert np.mean([abs(s.agreement - full.agreement) for s, full in stopped]) < 0.02


def test_no_policy_runs_twice_on_an_image() -> None:
    net = NoisyNet()
    evaluator = racing(net)
    scores = evaluator.score([*OTHERS, *OTHERS[:9], *PILOTS])
    evaluator.complete(OTHERS[:3])
    used = evaluator.evaluated
    assert evaluator.score(OTHERS[3:]) == scores[3 : len(OTHERS)]
    assert evaluator.evaluated == used
    assert all(len(rows) == len(set(rows)) for rows in net.asked.values())
    assert evaluator.evaluated == sum(len(rows) for rows in net.asked.values())


def test_all_run_on_the_same_images_first() -> None:
    net = NoisyNet()
    racing(net).score(OTHERS)
    orders = sorted((net.asked[p.key()] for p in OTHERS), key=len)
    assert all(order == orders[-1][: len(order)] for order in orders)
    assert orders[-1] != sorted(orders[-1])
    assert {len(order) for order in orders} <= {round(share * IMAGES) for share in SHARES}


def test_equal_questions_have_equal_answers() -> None:
    one, other = racing(NoisyNet()), racing(NoisyNet())
    assert one.score(OTHERS) == other.score(OTHERS)
    assert one.evaluated == other.evaluated


def test_a_hopeless_policy_stops_at_once() -> None:
    net = NoisyNet()
    evaluator = racing(net, keep=3)
    evaluator.score(PILOTS)
    (score,) = evaluator.score([tied(2, 2, 2)])
    assert score.images == round(SHARES[0] * IMAGES)


def test_a_policy_that_may_be_the_best_runs_on_all_images() -> None:
    net = NoisyNet()
    evaluator = racing(net, keep=3)
    (score,) = evaluator.score([tied(8, 8, 8)])
    close(score, net.full(tied(8, 8, 8)))


def test_nothing_runs_before_the_first_score_then_pilots_do() -> None:
    net = NoisyNet()
    evaluator = racing(net)
    assert evaluator.evaluated == 0
    scores = evaluator.score(PILOTS)
    assert evaluator.evaluated == IMAGES * len(PILOTS)
    for score, policy in zip(scores, PILOTS, strict=True):
        close(score, net.full(policy))


def test_a_stopped_policy_can_be_completed() -> None:
    net = NoisyNet()
    evaluator = racing(net, keep=3)
    (before,) = evaluator.score([tied(4, 4, 4)])
    used = evaluator.evaluated
    (after,) = evaluator.complete([tied(4, 4, 4)])
    assert before.images < IMAGES
    close(after, net.full(tied(4, 4, 4)))
    assert evaluator.evaluated - used == IMAGES - before.images
    assert evaluator.score([tied(4, 4, 4)]) == [after]


def test_a_run_goes_on_as_if_it_had_not_stopped() -> None:
    whole = racing(NoisyNet())
    expected = [whole.score([policy])[0] for policy in OTHERS[:60]]
    first = racing(NoisyNet())
    known = {policy.key(): first.score([policy])[0] for policy in OTHERS[:30]}
    second = racing(NoisyNet(), known=known)
    assert [second.score([policy])[0] for policy in OTHERS[30:60]] == expected[30:]


def test_few_images_and_no_pilots() -> None:
    net = NoisyNet(images=LEAST_IMAGES - 3)
    evaluator = RacingEvaluator(net, net.float_logits, net.labels, [])
    for score, policy in zip(evaluator.score(OTHERS[:4]), OTHERS[:4], strict=True):
        close(score, net.full(policy))


def test_a_policy_without_any_divergence() -> None:
    class Exact(NoisyNet):
        def all_logits(self, policy: Policy) -> Floats:
            return self.float_logits

    net = Exact()
    (score,) = racing(net).score([tied(8, 8, 8)])
    assert (score.kl, score.agreement) == (0.0, 1.0)
    assert score.top1 == pytest.approx(racing(net).float_top1)
