"""`haq report`."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a finished search.")],
) -> None:
    """Write report.html anew from the files of a run folder."""
    from haq.report.page import write_report

    typer.echo(write_report(run))
