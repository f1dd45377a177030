"""The same bits everywhere, as far as the choices allow."""

from __future__ import annotations

from collections.abc import Sequence

from env.actions import Choices
from haq.search._base import Trial
from haq.search.problem import Problem
from haq.search.searchers.rows import to_policies, to_rows
from haq.search.state import State
from quant.errors import BudgetError
from quant.policy import Bits, Policy

KIND = "uniform"


class UniformSearcher:
    """Proposes all uniform policies within the bound, least harm first."""

    def __init__(self, problem: Problem) -> None:
        """Raises BudgetError where none of them keeps the bound."""
        self._choices = problem.choices
        self._left = [
            policy
            for policy in uniforms(problem.choices)
            if problem.model.cost(policy) <= problem.bound
        ]
        if not self._left:
            raise BudgetError("no uniform policy keeps the budget: choose another --agent")
        self._left.sort(key=lambda p: sum(problem.harm[n][b] for n, b in p.layers.items()))

    def ask(self, n: int) -> list[Policy]:
        """The next ones."""
        found, self._left = self._left[:n], self._left[n:]
        return found

    def tell(self, trials: Sequence[Trial]) -> None:
        """There is nothing to learn."""

    def state(self) -> State:
        """What is left to propose."""
        return State({"left": to_rows(self._left, self._choices)}, {"kind": KIND})

    def restore(self, state: State) -> None:
        """Inverse of `state`. Raises StateError."""
        state.check_kind(KIND)
        self._left = to_policies(state.tensors["left"], self._choices)


def uniforms(choices: Choices) -> list[Policy]:
    """One policy for each pair of bits; layers that do not have it take the nearest they have."""
    pairs = dict.fromkeys(b for name in choices.names for b in choices.alternatives(name))
    made = [
        Policy({name: nearest(bits, choices.alternatives(name)) for name in choices.names})
        for bits in pairs
    ]
    return list({policy.key(): policy for policy in made}.values())


def uniforms_by_name(choices: Choices, widths: Sequence[int]) -> dict[str, Policy]:
    """A policy for each width of weights and activations alike, as `8`, or `w4a4` where simulated.

    Layers that do not have it take the nearest they have.
    """
    return {
        f"{width}" if choices.tied else f"w{width}a{width}": Policy(
            {n: nearest(Bits(width, width), choices.alternatives(n)) for n in choices.names}
        )
        for width in widths
    }


def nearest(bits: Bits, options: Sequence[Bits]) -> Bits:
    """The option with the least difference in bits."""
    return min(
        options,
        key=lambda o: abs(o.weight - bits.weight) + abs(o.activation - bits.activation),
    )
