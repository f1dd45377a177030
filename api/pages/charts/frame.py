"""The axes around a plot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from api.pages.charts.scale import Scale
from api.pages.charts.svg import element, label

Format = Callable[[float], str]


@dataclass(frozen=True)
class Frame:
    """Where a plot is within a drawing."""

    width: float = 560.0
    height: float = 260.0
    left: float = 64.0
    right: float = 16.0
    top: float = 14.0
    bottom: float = 42.0

    @property
    def across(self) -> tuple[float, float]:
        """Its left and right end."""
        return self.left, self.width - self.right

    @property
    def upwards(self) -> tuple[float, float]:
        """Its lower and upper end."""
        return self.height - self.bottom, self.top


def axes(frame: Frame, x: Scale, y: Scale, x_name: str, y_name: str) -> list[Markup]:
    """Lines, numbers and names."""
    (left, right), (low, high) = frame.across, frame.upwards
    middle = (low + high) / 2
    return [
        *(element("line", x1=left, x2=right, y1=y(t), y2=y(t), class_="rule") for t in y.ticks),
        *(label(number(t), left - 7, y(t) + 4, class_="tick", text_anchor="end") for t in y.ticks),
        *(label(number(t), x(t), low + 17, class_="tick", text_anchor="middle") for t in x.ticks),
        element("line", x1=left, x2=right, y1=low, y2=low, class_="axis"),
        label(x_name, (left + right) / 2, low + 36, class_="name", text_anchor="middle"),
        label(
            y_name,
            14,
            middle,
            class_="name",
            text_anchor="middle",
            transform=f"rotate(-90 14 {middle:.0f})",
        ),
    ]


def number(value: float) -> str:
    """Short: 0.4, 25, 1e-05, 3.5e+06."""
    return f"{value:.3g}"
