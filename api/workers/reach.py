"""Whether budgets can be met, as far as that is known without measuring."""

from __future__ import annotations

import json
from functools import lru_cache
from threading import Lock
from typing import NoReturn

from api.workers.aside import Question, answer, ask
from api.workers.errand import asked_from
from haq.cost import parse_budget
from haq.search.asked import Asked, make_request

MODULE = "api.workers.reach"
DECIDING = ("model", "weights", "input_size", "padding", "bits", "quantizer")
"""What decides costs, beside the budgets."""
_one_at_a_time = Lock()
"""Each look loads torch: many at once would take the memory of the searches."""


def check_reach(asked: Asked) -> None:
    """Raise InputError where a budget of size, bit operations or energy is out of reach.

    A latency is measured first, so the search itself tells.
    """
    known = tuple(text for text in asked.budget if parse_budget(text).kind != "latency")
    if known:
        question = {name: getattr(asked, name) for name in DECIDING}
        _look(json.dumps({**question, "budget": known}, default=str))


@lru_cache(256)
def _look(question: str) -> None:
    """What was seen to be in reach stays so."""
    with _one_at_a_time:
        ask(MODULE, json.loads(question))


def find(question: Question) -> None:
    """Make the targets as a search does. Raises BudgetError."""
    from haq.prepare import load_graph
    from haq.search.targets import Targets

    request = make_request(asked_from(question))
    graph = load_graph(request.model, request.weights, request.input_size, request.padding)
    choices = request.choices(graph)
    Targets(request, graph, choices, unmeasured).find([request.budget])


def unmeasured() -> NoReturn:
    """No budget here asks a board."""
    raise AssertionError("a latency was asked for")


if __name__ == "__main__":
    answer(find)
