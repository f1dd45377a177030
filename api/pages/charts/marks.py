"""Shapes that stand for kinds of points, told apart without their colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin

from markupsafe import Markup

from api.pages.charts.svg import element, path

Draw = Callable[[float, float, str], Markup]


def circle(x: float, y: float, kind: str) -> Markup:
    """A trial."""
    return element("circle", cx=x, cy=y, r=3.2, class_=kind)


def square(x: float, y: float, kind: str) -> Markup:
    """The same bits everywhere."""
    return element("rect", x=x - 4.5, y=y - 4.5, width=9, height=9, class_=kind)


def diamond(x: float, y: float, kind: str) -> Markup:
    """A trial of the front."""
    return polygon([(x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)], kind)


def triangle(x: float, y: float, kind: str) -> Markup:
    """The float network."""
    return polygon([(x, y - 6), (x + 6, y + 5), (x - 6, y + 5)], kind)


def star(x: float, y: float, kind: str) -> Markup:
    """What was found."""
    corners = [(9.0 if n % 2 == 0 else 3.8, n * pi / 5 - pi / 2) for n in range(10)]
    return polygon([(x + r * cos(a), y + r * sin(a)) for r, a in corners], kind)


def polygon(corners: list[tuple[float, float]], kind: str) -> Markup:
    """A closed line."""
    return path([*corners, corners[0]], class_=kind)


MARKS: Mapping[str, Draw] = {
    "trial": circle,
    "front": diamond,
    "uniform": square,
    "float": triangle,
    "found": star,
}
