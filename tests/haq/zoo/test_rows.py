from __future__ import annotations

from haq.zoo.keys import Timm
from haq.zoo.rows import Row, Rows, Squeeze

ROWS = Rows(
    Timm(),
    stem=32,
    rows=(
        Row(16, expand=None),
        Row(40, 5, stride=2, repeats=2),
        Row(40, 3, expand=3, activation="relu"),
    ),
    head=None,
)


def test_a_stage_is_what_has_the_same_channels() -> None:
    places = [(stage, step) for stage, step, _ in ROWS.blocks()]
    assert places == [(0, 0), (1, 0), (1, 1), (1, 2)]


def test_only_the_first_block_of_a_row_has_its_stride() -> None:
    found = [(row.kernel, row.stride, row.expand) for _, _, row in ROWS.blocks()]
    assert found == [(3, 1, None), (5, 2, 6), (5, 1, 6), (3, 1, 3)]


def test_the_head_has_the_activation_of_the_last_row() -> None:
    assert ROWS.last_activation == "relu"
    assert ROWS.activation == "relu6"


def test_squeezed_channels() -> None:
    assert Squeeze("input", "sigmoid").channels(24, 144) == 6
    assert Squeeze("widened", "hard_sigmoid").channels(24, 72) == 24
