"""Measurements made only once: under equal conditions the earlier answer is given again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from device_agent.memory.cache import Cache

Answer = dict[str, Any]
Question = Mapping[str, Any]


def recall_all(
    cache: Cache,
    questions: Sequence[Question],
    fresh: bool,
    measure: Callable[[list[int]], Sequence[Answer]],
) -> list[Answer]:
    """Answers in the order of the questions, each with `cached` and `measured_at`.

    `measure` is called once, with the numbers of the questions that have no answer yet (all, where
    `fresh` is asked for), and not at all if there are none.
    """
    known = {} if fresh else find_all(cache, questions)
    missing = [index for index in range(len(questions)) if index not in known]
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    for index, answer in zip(missing, measure(missing) if missing else [], strict=True):
        stamped = {**answer, "measured_at": now}
        cache.keep(questions[index], stamped)
        known[index] = {**stamped, "cached": False}
    return [known[index] for index in range(len(questions))]


def find_all(cache: Cache, questions: Sequence[Question]) -> dict[int, Answer]:
    """The answers that are there, by the number of their question."""
    found = ((index, cache.find(question)) for index, question in enumerate(questions))
    return {index: {**answer, "cached": True} for index, answer in found if answer is not None}
