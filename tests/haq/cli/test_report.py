from pathlib import Path

from tests.haq.cli.program import haq
from tests.haq.report.test_page import write_run


def test_the_page_is_written_anew_and_named(tmp_path: Path, cwd: Path) -> None:
    folder = write_run(tmp_path / "run")
    done = haq("report", folder.path)
    assert (done.code, done.out, done.err) == (0, f"{folder.report}\n", "")
    assert folder.report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(cwd.iterdir()) == []


def test_no_run_is_one_line_and_two(cwd: Path) -> None:
    done = haq("report", cwd)
    assert done.code == 2
    assert "is no run folder" in done.error
    assert list(cwd.iterdir()) == []
