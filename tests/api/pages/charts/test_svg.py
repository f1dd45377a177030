from __future__ import annotations

from xml.etree import ElementTree

from api.pages.charts.svg import element, label, path, picture


def test_text_is_escaped_and_elements_are_not() -> None:
    assert element("g", "<b>", element("text", "a & b")) == "<g>&lt;b&gt;<text>a &amp; b</text></g>"


def test_attributes_are_escaped_and_have_their_own_names() -> None:
    assert element("text", text_anchor="end", class_='"x') == (
        '<text text-anchor="end" class="&#34;x"></text>'
    )


def test_coordinates_are_short() -> None:
    assert element("a", x=1.0, y=2.3456, z=3) == '<a x="1" y="2.35" z="3"></a>'


def test_a_path_goes_through_its_points() -> None:
    assert 'd="M1 2L3.5 4"' in path([(1, 2), (3.5, 4)])


def test_a_picture_names_and_describes_itself() -> None:
    drawn = picture("one", 10.0, 5.0, "A <title>", "said", [label("x", 1.0, 2.0)])
    root = ElementTree.fromstring(drawn)
    title, text, _ = root
    assert (title.text, text.text) == ("A <title>", "said")
    assert root.get("aria-labelledby") == title.get("id")
    assert root.get("aria-describedby") == text.get("id")
    assert root.get("viewBox") == "0 0 10 5"
