"""A number of every episode, and the best so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from markupsafe import Markup

from api.pages.charts.frame import Frame, axes, number
from api.pages.charts.scale import Scale, counted, linear, logarithmic, thinned
from api.pages.charts.svg import element, path, picture

FRAME = Frame()
Values = Sequence[tuple[int, float]]
"""Episodes, each with its number."""


def reward_curve(values: Values, episodes: int) -> Markup:
    """The reward, which is to rise."""
    y = linear([value for _, value in values], *FRAME.upwards)
    return curve("reward", "Reward of every episode", "reward", values, episodes, y, max)


def divergence_curve(values: Values, episodes: int) -> Markup:
    """The divergence from the float network, which is to fall."""
    y = logarithmic([value for _, value in values], *FRAME.upwards)
    title = "KL of every episode from the float network"
    return curve("divergence", title, "KL", values, episodes, y, min)


def curve(
    name: str,
    title: str,
    unit: str,
    values: Values,
    episodes: int,
    y: Scale,
    better: Callable[[float, float], float],
) -> Markup:
    """A dot for every episode, a line through the best so far; `episodes` are all there will be."""
    x = counted(max([episodes, *(episode for episode, _ in values)]), *FRAME.across)
    best = list(accumulate((value for _, value in values), better))
    places = [(x(episode), y(value)) for (episode, _), value in zip(values, best, strict=True)]
    parts = axes(FRAME, x, y, "episode", unit)
    parts += [
        element("circle", cx=x(e), cy=y(v), r=2.6, class_="trial") for e, v in thinned(values)
    ]
    parts += [path(places, class_="best")] if places else []
    said = f"best so far {number(best[-1])}" if best else "no episode yet"
    text = f"{len(values)} of {episodes} episodes, {said}."
    return picture(name, FRAME.width, FRAME.height, title, text, parts)
