"""Policies layer by layer, and searches setting by setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from api.pages.bits import bit_rows
from api.pages.charts.network import Row, network_chart
from api.pages.policies import Tried
from api.schema import Search
from quant.errors import InputError


@dataclass(frozen=True)
class LayerLine:
    """A layer's bits in every policy."""

    name: str
    texts: Sequence[str]

    @property
    def differs(self) -> bool:
        """Whether any two are unlike."""
        return len(set(self.texts)) > 1


def layer_lines(policies: Sequence[Tried]) -> list[LayerLine]:
    """In the order of the network. Raises InputError where the networks are not the same."""
    names = [[layer.name for layer in policy.layers] for policy in policies]
    if any(one != names[0] for one in names):
        raise InputError("these policies are of different networks: compare those of one")
    return [
        LayerLine(layers[0].name, [layer.text for layer in layers])
        for layers in zip(*(policy.layers for policy in policies), strict=True)
    ]


def compared_chart(policies: Sequence[Tried], lines: Sequence[LayerLine]) -> Markup:
    """The bits of each below those of the other, with a mark where they differ."""
    marked = frozenset(index for index, line in enumerate(lines) if line.differs)
    rows = [
        Row(f"{letter(place)}: {row.title}", row.values, marked=marked)
        for place, policy in enumerate(policies)
        for row in bit_rows(policy.layers)
    ]
    title = "Bits of every layer, policy by policy"
    return network_chart("compared", title, [line.name for line in lines], rows)


def letter(place: int) -> str:
    """A, B, C, D: how a policy or a search is called on this page."""
    return "ABCD"[place]


def differing_settings(searches: Sequence[Search]) -> dict[str, list[Any]]:
    """Settings that are not the same in all, by name."""
    specs: list[Mapping[str, Any]] = [search.spec.model_dump(mode="json") for search in searches]
    values = {name: [spec[name] for spec in specs] for name in specs[0]}
    return {name: found for name, found in values.items() if any(v != found[0] for v in found)}
