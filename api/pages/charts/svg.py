"""SVG elements as text."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape

Value = str | int | float


def element(tag: str, *inside: str, **attributes: Value) -> Markup:
    """`<tag attributes>inside</tag>`; `text_anchor` is text-anchor, `class_` is class.

    Text is escaped, elements stay elements.
    """
    said = [f' {name.strip("_").replace("_", "-")}="{show(v)}"' for name, v in attributes.items()]
    body = Markup().join(escape(part) for part in inside)
    return Markup(f"<{tag}{''.join(said)}>{body}</{tag}>")


def show(value: Value) -> str:
    """An attribute's value; coordinates to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else escape(value)


def picture(
    name: str, width: float, height: float, title: str, text: str, parts: Iterable[Markup]
) -> Markup:
    """A whole drawing, with its title and a text for who does not see it.

    `name` is no other drawing's on the page.
    """
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", text, id=f"{name}-text"),
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {show(width)} {show(height)}",
        role="img",
        aria_labelledby=f"{name}-title",
        aria_describedby=f"{name}-text",
    )


def path(points: Iterable[tuple[float, float]], **attributes: Value) -> Markup:
    """A line through points."""
    drawn = "L".join(f"{show(float(x))} {show(float(y))}" for x, y in points)
    return element("path", d=f"M{drawn}", **attributes)


def label(text: str, x: float, y: float, **attributes: Value) -> Markup:
    """Words at a place."""
    return element("text", text, x=x, y=y, **attributes)
