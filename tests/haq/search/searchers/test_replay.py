from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from haq.search.searchers.replay import COLUMNS, BaselineReplay
from haq.search.state import State
from quant.errors import StateError


def make_replay(capacity: int = 5, seed: int = 0) -> BaselineReplay:
    box = spaces.Box(0, 1, (2,), np.float32)
    action = spaces.Box(0, 1, (1,), np.float32)
    rng = np.random.default_rng(seed)
    return BaselineReplay(
        capacity, box, action, "cpu", rng=rng, baseline_rate=0.5, handle_timeout_termination=False
    )


def add(replay: BaselineReplay, number: int) -> None:
    seen = np.array([number, number + 0.5], dtype=np.float32)
    action, reward, done = (np.array([v], dtype=np.float32) for v in (number, -number, number % 2))
    replay.add(seen, seen + 1, action, reward, done, [{}])


def test_the_baseline_is_the_moving_average_of_batch_means() -> None:
    replay = make_replay()
    add(replay, 1)
    add(replay, 3)
    baseline = None
    for _ in range(4):
        sample = replay.sample(64)
        assert replay.baseline is not None
        mean = float(sample.rewards.mean()) + replay.baseline
        baseline = mean if baseline is None else baseline + 0.5 * (mean - baseline)
        assert replay.baseline == pytest.approx(baseline)
        assert set(np.round(sample.rewards.numpy().ravel() + replay.baseline, 4)) == {-1.0, -3.0}


@pytest.mark.parametrize("count", [0, 3, 5, 7])
def test_a_restored_replay_holds_the_same_and_goes_on(count: int) -> None:
    replay, restored = make_replay(), make_replay()
    for number in range(count):
        add(replay, number)
    if count:
        replay.sample(8)
    restored.restore(State.from_bytes(replay.state().to_bytes()))
    restored.rng.bit_generator.state = replay.rng.bit_generator.state
    for one in (replay, restored):
        add(one, 8)
        one.sample(8)
    assert (restored.pos, restored.full) == (replay.pos, replay.full)
    assert restored.baseline == replay.baseline
    for name in COLUMNS:
        assert getattr(restored, name).tolist() == getattr(replay, name).tolist()


def test_a_state_holds_the_filled_part_alone() -> None:
    replay = make_replay()
    add(replay, 1)
    assert {len(array) for array in replay.state().tensors.values()} == {1}


def test_a_state_stays_as_it_was() -> None:
    replay = make_replay()
    for number in range(5):
        add(replay, number)
    state = replay.state()
    before = state.to_bytes()
    add(replay, 8)
    assert state.to_bytes() == before


def test_the_state_of_another_capacity_is_refused() -> None:
    with pytest.raises(StateError, match="another problem"):
        make_replay(5).restore(make_replay(6).state())
