from __future__ import annotations

import re

from api.pages.charts.marks import MARKS


def test_no_two_kinds_have_the_same_shape() -> None:
    shapes = [re.sub(r'class="\w+"', "", draw(0.0, 0.0, kind)) for kind, draw in MARKS.items()]
    assert len(set(shapes)) == len(MARKS)


def test_a_mark_bears_its_kind() -> None:
    assert all(f'class="{kind}"' in draw(1.0, 2.0, kind) for kind, draw in MARKS.items())
