from __future__ import annotations

from pathlib import Path

import pytest

from api.errors import UnknownError
from api.files.artifacts import artifacts_of, find_artifact, media_type
from haq.store import RunFolder

INSIDE = ("run.json", "store.sqlite", "lock", "summary.json.partial", ".hidden")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    found = RunFolder(tmp_path / "run", "mbv2")
    found.path.mkdir()
    (tmp_path / "secret").write_text("secret")
    for file in (found.summary, found.onnx, *(found.path / name for name in INSIDE)):
        file.write_text("x")
    return found


def test_those_of_the_list_that_are_there(folder: RunFolder) -> None:
    assert set(artifacts_of(folder)) == {"summary.json", "mbv2.onnx"}
    assert find_artifact(folder, "mbv2.onnx") == folder.onnx


@pytest.mark.parametrize(
    "name",
    [*INSIDE, "", ".", "..", "../secret", "./summary.json", "summary.json\0", "SUMMARY.JSON"],
)
def test_nothing_else(folder: RunFolder, name: str) -> None:
    with pytest.raises(UnknownError, match=r"the search has: summary\.json, mbv2\.onnx"):
        find_artifact(folder, name)


def test_a_folder_in_an_artifacts_place_is_none(folder: RunFolder) -> None:
    folder.policy.mkdir()
    assert "policy.json" not in artifacts_of(folder)


def test_a_run_that_has_not_begun_has_none(tmp_path: Path) -> None:
    assert artifacts_of(RunFolder(tmp_path / "none", "mbv2")) == {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("policy.json", "application/json"),
        ("report.html", "text/html; charset=utf-8"),
        ("mbv2.ncnn.bin", "application/octet-stream"),
        ("mbv2.onnx", "application/octet-stream"),
    ],
)
def test_how_a_browser_takes_it(name: str, expected: str) -> None:
    assert media_type(Path(name)) == expected
