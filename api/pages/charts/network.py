"""Rows of bars over the layers of a network, one bar a layer in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from api.pages.charts.svg import element, label, picture

LEFT, RIGHT, NAMES = 92.0, 8.0, 118.0
STEP, BAR = 19.0, 15.0
TALL, LOW, GAP = 76.0, 44.0, 22.0
FLOAT_BITS = 32


@dataclass(frozen=True)
class Row:
    """A number for every layer: bits, or shares of a whole; `marked` are those to be pointed at."""

    title: str
    values: Sequence[float]
    kind: Literal["bits", "share"] = "bits"
    marked: frozenset[int] = frozenset()

    @property
    def height(self) -> float:
        """Of its bars at most."""
        return TALL if self.kind == "bits" else LOW

    @property
    def full(self) -> float:
        """What fills the height."""
        return FLOAT_BITS if self.kind == "bits" else max(*self.values, 1e-9)

    def number(self, value: float) -> str:
        """What stands above a bar: every width, and the shares that count."""
        if self.kind == "bits":
            return f"{value:.0f}"
        return f"{100 * value:.0f}" if value >= 0.03 else ""

    def style(self, value: float) -> str:
        """Class of a bar."""
        return f"bar b{value:.0f}" if self.kind == "bits" else "bar share"


def network_chart(name: str, title: str, layers: Sequence[str], rows: Sequence[Row]) -> Markup:
    """The rows one below the other, then the names of the layers."""
    parts, top = [], GAP
    for row in rows:
        parts += drawn(row, layers, top)
        top += row.height + GAP
    parts += [upright(layer, index, top - GAP + 14) for index, layer in enumerate(layers)]
    width = LEFT + STEP * len(layers) + RIGHT
    text = f"{len(layers)} layers. " + " ".join(told(row) for row in rows)
    return picture(name, width, top + NAMES, title, text, parts)


def drawn(row: Row, layers: Sequence[str], top: float) -> list[Markup]:
    """One row, its foot at the bottom."""
    foot, parts = top + row.height, []
    words = row.title.split("\n")
    for line, word in enumerate(words):
        at = foot - row.height / 2 + 14 * line
        parts.append(label(word, LEFT - 10, at, class_="name", text_anchor="end"))
    right = LEFT + STEP * len(layers)
    parts.append(element("line", x1=LEFT, x2=right, y1=foot, y2=foot, class_="axis"))
    for index, (layer, value) in enumerate(zip(layers, row.values, strict=True)):
        parts.append(bar(row, layer, index, value, foot))
    return parts


def bar(row: Row, layer: str, index: int, value: float, foot: float) -> Markup:
    """A layer's bar, with its number above and, where it is pointed at, a mark below."""
    x, height = LEFT + STEP * index + (STEP - BAR) / 2, row.height * value / row.full
    middle = x + BAR / 2
    shown = row.number(value)
    parts = [element("title", f"{layer}: {said(row, value)}")]
    parts.append(
        element(
            "rect",
            x=x,
            y=foot - height,
            width=BAR,
            height=height,
            class_=row.style(value),
        )
    )
    if shown:
        parts.append(label(shown, middle, foot - height - 3, class_="tick", text_anchor="middle"))
    if index in row.marked:
        corners = f"M{middle - 4:.1f} {foot + 9:.1f}l4 -6l4 6z"
        parts.append(element("path", d=corners, class_="differs"))
    return element("g", *parts)


def said(row: Row, value: float) -> str:
    """A value in words."""
    return f"{value:.0f} bits" if row.kind == "bits" else f"{100 * value:.1f} %"


def upright(layer: str, index: int, top: float) -> Markup:
    """A layer's name, from the bottom to the top."""
    x = LEFT + STEP * (index + 0.5) + 3
    turned = f"rotate(-90 {x:.1f} {top:.1f})"
    return label(layer, x, top, class_="tick", text_anchor="end", transform=turned)


def told(row: Row) -> str:
    """A row in words: how many layers have which bits, or who has the largest share."""
    title = row.title.replace("\n", " ")
    if row.kind == "share":
        return f"{title}: at most {100 * max(row.values):.1f} % in one layer."
    counts = [(bits, list(row.values).count(bits)) for bits in sorted(set(row.values))]
    return f"{title}: " + ", ".join(f"{n} layers at {bits:.0f}" for bits, n in counts) + "."
