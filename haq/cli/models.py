"""`haq models`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from haq.zoo.counts import Counts

COLUMNS = ("name", "size (MB)", "MMACs", "layers", "parameters", "default input", "weights at hand")
WIDE = 120
"""Characters of a line where there is no terminal."""
FLOAT_BYTES = 4


def models(
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON line on standard output, a list of counts."),
    ] = False,
) -> None:
    """The networks that --model knows, counted at 224x224 with three channels and 1000 classes.

    Those that give a class for every pixel are counted at their own size and classes.
    """
    from haq.zoo.counts import count
    from haq.zoo.registry import ARCHITECTURES, published_config

    found = {name: count(published_config(name)) for name in ARCHITECTURES}
    if as_json:
        print(json.dumps([{"name": name, **counts._asdict()} for name, counts in found.items()]))
    else:
        print_table(found)


def print_table(found: dict[str, Counts]) -> None:
    """A row a network, on standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in (COLUMNS[0], COLUMNS[-1]) else "right")
    for name, counts in found.items():
        table.add_row(*row(name, counts))
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    console.print(table)


def row(name: str, counts: Counts) -> tuple[str, ...]:
    """Cells; the size is that in float32, the input what is taken where no --input is given."""
    from haq.zoo.registry import find
    from haq.zoo.sources import at_hand

    return (
        name,
        f"{FLOAT_BYTES * counts.params / 1e6:.1f}",
        f"{counts.macs / 1e6:,.0f}",
        str(counts.layers),
        f"{counts.params:,}",
        str(find(name).images.side),
        at_hand(name),
    )
