"""From actions in [0, 1] to bits and back, and the bits that each layer may take."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from quant.errors import PolicyError
from quant.policy import (
    ENGINE_BITS,
    FLOAT_BITS,
    SHARED_BITS,
    SIMULATED_BITS,
    Bits,
    Policy,
)


def to_bits(action: float, widths: Sequence[int]) -> int:
    """The width that an action in [0, 1] means: each of the n widths owns 1/n of the interval.

    For widths 2..8 this is HAQ's round(7 * a + 1.5), clipped to 2..8 (Wang et al. 2019, 3.2).
    """
    index = round(len(widths) * action - 0.5)
    return widths[min(max(index, 0), len(widths) - 1)]


def to_action(bits: int, widths: Sequence[int]) -> float:
    """The centre of the interval of actions that mean these bits; inverse of `to_bits`."""
    return (widths.index(bits) + 0.5) / len(widths)


@dataclass(frozen=True)
class Step:
    """A decision of an episode: the width of a layer's weights (or of both) or activations."""

    layer: str
    is_weight: bool
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Choices:
    """Widths that each layer may take, ascending, by layer name in the order of the network.

    Tied layers take one step and give weights and activations the same width; others take a
    weight step, then an activation step. Where every activation stays float there are weight steps
    alone, as in HAQ's search for size. A layer with a single width takes its steps as well,
    where every action means that width: so the n-th steps of all episodes are of the same kind.
    Raises PolicyError for widths out of order, missing layers, and tied widths that differ.
    """

    weight: Mapping[str, tuple[int, ...]]
    activation: Mapping[str, tuple[int, ...]]
    tied: bool

    def __post_init__(self) -> None:
        if not self.weight or tuple(self.weight) != tuple(self.activation):
            raise PolicyError("choices need the same layers for weights and activations")
        for widths in (*self.weight.values(), *self.activation.values()):
            if not widths or list(widths) != sorted(set(widths)):
                raise PolicyError(f"the widths of a layer must ascend, got {list(widths)}")
        if self.tied and self.weight != self.activation:
            raise PolicyError("tied layers need the same widths for weights and activations")

    @property
    def names(self) -> tuple[str, ...]:
        """Layer names in the order of the network."""
        return tuple(self.weight)

    @property
    def max_bits(self) -> int:
        """The largest width of any step."""
        return max(max(step.widths) for step in self.steps)

    @cached_property
    def one_step(self) -> bool:
        """Whether a layer takes a single step: tied, or all activations are float."""
        floats = all(widths == (FLOAT_BITS,) for widths in self.activation.values())
        return self.tied or floats

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The decisions of an episode in order: one or two a layer."""
        kinds = (True,) if self.one_step else (True, False)
        return tuple(
            Step(name, is_weight, (self.weight if is_weight else self.activation)[name])
            for name in self.names
            for is_weight in kinds
        )

    @cached_property
    def widest(self) -> Policy:
        """The most bits that every layer may take."""
        return Policy({name: self.alternatives(name)[-1] for name in self.names})

    def alternatives(self, layer: str) -> tuple[Bits, ...]:
        """All bits that a layer may take."""
        return self._alternatives[layer]

    @cached_property
    def _alternatives(self) -> dict[str, tuple[Bits, ...]]:
        return {name: self._combine(name) for name in self.names}

    def _combine(self, name: str) -> tuple[Bits, ...]:
        if self.tied:
            return tuple(Bits(bits, bits) for bits in self.weight[name])
        return tuple(Bits(*pair) for pair in product(self.weight[name], self.activation[name]))

    def policy(self, widths: Sequence[int]) -> Policy:
        """The policy of an episode's chosen widths, one a step."""
        if self.tied:
            weights, activations = widths, widths
        elif self.one_step:
            weights, activations = widths, [FLOAT_BITS] * len(widths)
        else:
            weights, activations = widths[::2], widths[1::2]
        chosen = zip(self.names, weights, activations, strict=True)
        return Policy({name: Bits(weight, activation) for name, weight, activation in chosen})

    def widths(self, policy: Policy) -> tuple[int, ...]:
        """Inverse of `policy`. Raises PolicyError where the policy is outside of the choices."""
        policy.check_names(self.names)
        for name in self.names:
            if policy[name] not in self.alternatives(name):
                raise PolicyError(
                    f"layer {name}: W{policy[name].weight}A{policy[name].activation} is not among "
                    "the choices of this search"
                )
        return tuple(
            policy[step.layer].weight if step.is_weight else policy[step.layer].activation
            for step in self.steps
        )

    def actions(self, policy: Policy) -> tuple[float, ...]:
        """The actions that mean exactly this policy, one a step. Raises PolicyError as `widths`."""
        chosen = zip(self.widths(policy), self.steps, strict=True)
        return tuple(to_action(bits, step.widths) for bits, step in chosen)


def tied_choices(
    layer_names: Sequence[str],
    bits: Sequence[int] = ENGINE_BITS,
    floats: Collection[str] = (),
    without_8: Collection[str] = (),
) -> Choices:
    """One width a layer for weights and activations, as ncnn runs them; 32 bits for `floats`.

    Layers `without_8` take the other widths, 32 bits where there are none.
    """
    widths = widths_of(layer_names, bits, floats)
    wider = tuple(sorted({*bits} - {8})) or (FLOAT_BITS,)
    widths |= dict.fromkeys(without_8, wider)
    return Choices(widths, widths, tied=True)


def free_choices(
    layer_names: Sequence[str], bits: Sequence[int] = SIMULATED_BITS, ends: int | None = 8
) -> Choices:
    """Separate widths for weights and activations.

    The first and the last layer are pinned to `ends` bits as in HAQ; None leaves them free.
    """
    widths = dict.fromkeys(layer_names, tuple(sorted(set(bits))))
    if ends is not None:
        widths |= {layer_names[0]: (ends,), layer_names[-1]: (ends,)}
    return Choices(widths, widths, tied=False)


def weight_choices(
    layer_names: Sequence[str],
    bits: Sequence[int] = SHARED_BITS,
    floats: Collection[str] = (),
) -> Choices:
    """Widths of weights alone, as k-means shares them; activations and `floats` stay float."""
    widths = widths_of(layer_names, bits, floats)
    return Choices(widths, dict.fromkeys(layer_names, (FLOAT_BITS,)), tied=False)


def widths_of(
    layer_names: Sequence[str], bits: Sequence[int], floats: Collection[str]
) -> dict[str, tuple[int, ...]]:
    """The same widths for every layer, ascending, but 32 bits alone for `floats`."""
    widths = tuple(sorted(set(bits)))
    return {name: (FLOAT_BITS,) if name in floats else widths for name in layer_names}
