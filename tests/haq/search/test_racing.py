from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haq.parallel import Task
from haq.search._base import Trial
from haq.search.final import completed
from haq.search.image_order import Rows
from haq.search.loop import Outcome, run_episodes
from haq.search.memory import Evaluator, RememberedImages
from haq.search.racing import EVERY, LEAST_IMAGES, SHARES, RacingEvaluator, SeeImages
from haq.search.reward import make_reward
from haq.search.state import State
from quant.evaluate import Score, Seen, compare, see
from quant.graph import Floats
from quant.policy import Policy
from tests.haq.search.doubles import tied
from tests.haq.store.stores import entries_at, found

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
        self.runs: dict[str, list[list[int]]] = defaultdict(list)
        self.calls: list[int] = []

    @property
    def asked(self) -> dict[str, list[int]]:
        """Rows that each policy has run on, in order."""
        return {key: [row for rows in runs for row in rows] for key, runs in self.runs.items()}

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        self.calls.append(len(tasks))
        for policy, rows in tasks:
            self.runs[policy.key()].append(rows.tolist())
            yield see(self.all_logits(policy)[rows], self.float_logits[rows], self.labels[rows])

    def all_logits(self, policy: Policy) -> Floats:
        size = sum(2.0**-bits.weight for bits in policy.layers.values())
        rng = np.random.default_rng(int(policy.key()[:8], 16))
        noise = size * rng.normal(0, 2, self.float_logits.shape)
        return self.float_logits + noise.astype(np.float32)

    def full(self, policy: Policy) -> Score:
        return compare(self.all_logits(policy), self.float_logits, self.labels)


def new(net: NoisyNet, keep: int = KEEP, pilots: int = len(PILOTS)) -> RacingEvaluator:
    return RacingEvaluator(net, net.float_logits, net.labels, keep, pilots)


def racing(net: NoisyNet, keep: int = KEEP) -> RacingEvaluator:
    """After the pilots."""
    evaluator = new(net, keep)
    evaluator.score(PILOTS)
    return evaluator


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's tau: the share of pairs in the same order, less that of pairs in the other."""
    a, b = np.array(one), np.array(other)
    signs = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
    return float(signs.sum() / (len(a) * (len(a) - 1)))


def test_the_best_run_on_all_images_and_the_others_are_ranked_by_some() -> None:
    net = NoisyNet()
    evaluator: Evaluator = (raced := racing(net))
    scores = evaluator.score(OTHERS)
    full = [net.full(policy) for policy in OTHERS]
    for row in np.argsort([score.kl for score in full])[:KEEP]:
        assert scores[row] == full[row]
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


def test_what_can_run_at_the_same_time_is_asked_for_at_once() -> None:
    """The first slice of all, those of the most promising, then those of the others."""
    net, batch, keep = NoisyNet(), OTHERS[::5], 5
    evaluator = racing(net, keep)
    net.calls.clear()
    evaluator.score(batch)
    first, *rounds = [tasks for tasks in net.calls if tasks]
    assert (first, rounds[0]) == (len(batch), keep)
    assert len(rounds) <= 2 * (len(SHARES) - 1)
    assert sum(len(runs) for runs in net.runs.values()) == len(PILOTS) + first + sum(rounds)


def test_to_ask_at_once_costs_little_more_than_one_after_another() -> None:
    at_once, one_by_one = (racing(NoisyNet(), keep=2) for _ in range(2))
    for start in range(0, len(OTHERS), 8):
        at_once.score(OTHERS[start : start + 8])
    for policy in OTHERS:
        one_by_one.score([policy])
    assert at_once.evaluated <= 1.1 * one_by_one.evaluated


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
    assert score == net.full(tied(8, 8, 8))


def test_nothing_runs_before_the_first_score_and_the_first_policies_run_on_all() -> None:
    net = NoisyNet()
    evaluator = new(net, keep=1)
    assert evaluator.evaluated == 0
    twice = [PILOTS[0], *PILOTS]
    scores = evaluator.score([*twice, tied(2, 2, 2)])
    assert scores[:-1] == [net.full(policy) for policy in twice]
    assert scores[-1].images == round(SHARES[0] * IMAGES)
    assert evaluator.evaluated == IMAGES * len(PILOTS) + scores[-1].images


def test_a_stopped_policy_can_be_completed() -> None:
    net = NoisyNet()
    evaluator = racing(net, keep=3)
    (before,) = evaluator.score([tied(4, 4, 4)])
    used = evaluator.evaluated
    (after,) = evaluator.complete([tied(4, 4, 4)])
    assert before.images < IMAGES
    assert after == net.full(tied(4, 4, 4))
    assert evaluator.evaluated - used == IMAGES - before.images
    assert evaluator.score([tied(4, 4, 4)]) == [after]


def test_every_score_is_heard_of() -> None:
    net = NoisyNet()
    notes: list[str] = []
    evaluator = RacingEvaluator(net, net.float_logits, net.labels, advance=notes.append)
    (score,) = evaluator.score(PILOTS[:1])
    evaluator.score([*OTHERS[:3], OTHERS[0]])
    assert notes[0] == f"KL {score.kl:.2g}"
    assert len(notes) == 5


def test_few_images_are_no_race() -> None:
    net = NoisyNet(images=LEAST_IMAGES - 1)
    assert new(net, keep=1, pilots=0).score(OTHERS) == [net.full(policy) for policy in OTHERS]


def test_races_without_pilots() -> None:
    net = NoisyNet(images=LEAST_IMAGES)
    scores = new(net, keep=1, pilots=0).score(OTHERS)
    assert min(scores, key=lambda score: score.kl).images == LEAST_IMAGES
    assert min(score.images for score in scores) == round(SHARES[0] * LEAST_IMAGES)


def test_a_policy_without_any_divergence() -> None:
    class Exact(NoisyNet):
        def all_logits(self, policy: Policy) -> Floats:
            return self.float_logits

    net = Exact()
    (score,) = racing(net).score([tied(8, 8, 8)])
    assert (score.kl, score.agreement) == (0.0, 1.0)
    assert score.top1 == pytest.approx(racing(net).float_top1)


class Shuffled:
    """Proposes policies that depend on the rewards so far, as an agent's do."""

    def __init__(self) -> None:
        self.rewards = 0.0
        self.count = 0

    def ask(self, n: int) -> list[Policy]:
        rng = np.random.default_rng([self.count, int(-1e9 * self.rewards)])
        self.count += n
        return [OTHERS[row] for row in rng.integers(len(OTHERS), size=n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.rewards += sum(trial.reward for trial in trials)

    def state(self) -> State:
        return State({}, {"rewards": self.rewards, "count": self.count})

    def restore(self, state: State) -> None:
        self.rewards, self.count = state.values["rewards"], state.values["count"]


def search(net: SeeImages, float_logits: Floats, labels: Rows, path: Path) -> list[Outcome]:
    """Episodes in batches, then the best on all images."""
    see = RememberedImages(net, entries_at(path))
    evaluator = RacingEvaluator(see, float_logits, labels, keep=3)
    reward = make_reward("kl", evaluator.float_top1, 1.0)
    outcomes = run_episodes(
        *(Shuffled(), evaluator, reward, lambda _: 0.5, lambda some: lambda: [None] * len(some)),
        *(40, 8, None, "ddpg"),
    )
    return completed(list(outcomes), evaluator.complete)


@settings(max_examples=20, deadline=None)
@given(stop_at=st.integers(1, 80))
def test_a_search_stopped_anywhere_ends_as_if_it_had_not(stop_at: int) -> None:
    """Within a slice or a batch or between them."""
    whole, stopped, again = NoisyNet(200), NoisyNet(200), NoisyNet(200)

    def interrupted(tasks: Sequence[Task]) -> Iterator[Seen]:
        for task in tasks:
            if sum(len(runs) for runs in stopped.runs.values()) == stop_at:
                raise KeyboardInterrupt
            yield from stopped([task])

    with TemporaryDirectory() as folder:
        one, other = Path(folder) / "one", Path(folder) / "other"
        expected = search(whole, whole.float_logits, whole.labels, one)
        with suppress(KeyboardInterrupt):
            search(interrupted, stopped.float_logits, stopped.labels, other)
        assert search(again, again.float_logits, again.labels, other) == expected
        assert found(other) == found(one)
        runs = [sum(len(some) for some in net.runs.values()) for net in (stopped, again, whole)]
        assert runs[0] + runs[1] == runs[2]


def test_for_a_metric_every_policy_runs_on_all_images_at_once() -> None:
    net = NoisyNet()
    evaluator = RacingEvaluator(net, net.float_logits, net.labels, KEEP, EVERY)
    scores = evaluator.score(OTHERS[:20])
    assert scores == [net.full(policy) for policy in OTHERS[:20]]
    assert all(runs == [list(range(IMAGES))] for runs in net.runs.values())
    assert evaluator.complete(OTHERS[:20]) == scores
