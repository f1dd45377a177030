from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from api.errors import ConflictError, ForbiddenError, UnknownError
from api.files.datasets import Datasets
from api.schema import SearchSpec
from haq.data import load_images
from haq.names import DATA_AT_HAND
from haq.store.database import Database
from quant.errors import HaqError, InputError
from tests.api.databases import database_at


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    with database_at(store_url) as found:
        yield found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Has folders, a file, and links that lead out of it; beside it lies what nobody may have."""
    root = tmp_path / "root"
    for folder in (root / "photos", root / "deep/er", tmp_path / "secret", tmp_path / "rootless"):
        folder.mkdir(parents=True)
    (root / "file").write_text("x")
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    (root / "in").symlink_to("photos")
    (root / "loop").symlink_to("loop")
    return root


@pytest.fixture
def datasets(database: Database, root: Path) -> Datasets:
    return Datasets(database, [root])


def test_a_registered_folder_is_found(datasets: Datasets, root: Path) -> None:
    made = datasets.add("photos", str(root / "photos"), "anna")
    assert datasets.get("photos") == made
    assert (made.path, made.created_by) == (str(root / "photos"), "anna")
    assert datasets.source("photos") == str(root / "photos")
    assert datasets.source("photos:0-9") == f"{root / 'photos'}:0-9"
    assert [found.name for found in datasets.all()] == ["photos"]


def test_the_same_once_more_changes_nothing(datasets: Datasets, root: Path) -> None:
    made = datasets.add("photos", str(root / "photos"), "anna")
    assert datasets.add("photos", f"{root}/deep/../photos/", "ben") == made
    with pytest.raises(ConflictError):
        datasets.add("photos", str(root / "deep"), "anna")


@pytest.mark.parametrize("name", DATA_AT_HAND)
def test_images_of_haqs_own_keep_their_name(datasets: Datasets, root: Path, name: str) -> None:
    assert datasets.source(name) == name
    assert datasets.source(f"{name}:0-9") == f"{name}:0-9"
    with pytest.raises(ConflictError):
        datasets.add(name, str(root), "anna")


def test_unknown_names(datasets: Datasets) -> None:
    for name in ("photos", "fashion-mnist", "photos:0-9"):
        with pytest.raises(UnknownError):
            datasets.source(name)


@pytest.mark.parametrize("path", ["", "photos", "deep/er", "in", "./photos", "deep/../photos"])
def test_folders_below_a_root(datasets: Datasets, root: Path, path: str) -> None:
    assert datasets.check(root / path).is_relative_to(root)


@pytest.mark.parametrize(
    "path",
    ["..", "../secret", "../rootless", "out", "up", "up/secret", "out/x", "loop", "photos/\0"],
)
def test_ways_out_of_a_root(datasets: Datasets, root: Path, path: str) -> None:
    with pytest.raises(ForbiddenError):
        datasets.check(Path(f"{root}/{path}"))


@pytest.mark.parametrize("path", ["file", "none", "file/x", "a" * 300, "a/" * 1900])
def test_what_is_no_folder(datasets: Datasets, root: Path, path: str) -> None:
    with pytest.raises(HaqError) as error:
        datasets.check(root / path)
    assert isinstance(error.value, (InputError, ForbiddenError))


def test_paths_that_are_relative_are_nobodys(
    datasets: Datasets, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    for path in ("photos", ".", "~", "file://photos"):
        with pytest.raises(ForbiddenError):
            datasets.check(Path(path))


def test_a_folder_that_became_a_link_is_refused_later(datasets: Datasets, root: Path) -> None:
    datasets.add("photos", str(root / "photos"), "anna")
    (root / "photos").rmdir()
    (root / "photos").symlink_to(root / "out")
    with pytest.raises(ForbiddenError):
        datasets.source("photos")


def test_a_folder_that_looks_like_rows_of_a_link_is_refused(datasets: Datasets, root: Path) -> None:
    (root / "out:0-9").mkdir()
    with pytest.raises(InputError, match="no colon"):
        datasets.check(root / "out:0-9")


def test_without_roots_nothing_is_allowed(database: Database, root: Path) -> None:
    with pytest.raises(ForbiddenError):
        Datasets(database, []).check(root / "photos")


ELSEWHERE = ["own:load", "json:dumps", "photos:load", "faces:load", "hf:photos", "hf:photos:test"]
"""What `haq search --data` takes on the user's own machine: it runs code, or asks a hub."""


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_request_cannot_name_code_or_a_hub(text: str) -> None:
    for field in ("data", "calibration"):
        with pytest.raises(ValidationError, match="should match pattern"):
            SearchSpec.model_validate({field: text})
    with pytest.raises(ValidationError, match="Input should be 'top1', 'top5', 'miou' or 'f1'"):
        SearchSpec.model_validate({"metric": text})


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_registered_name_does_not_become_code(datasets: Datasets, root: Path, text: str) -> None:
    for name in ("photos", "json", "hf"):
        datasets.add(name, str(root / "photos"), "anna")
    with pytest.raises(UnknownError, match="no data set is called"):
        load_images(datasets.source(text), 32)


PARTS = st.one_of(
    st.sampled_from(["..", ".", "out", "up", "in", "photos", "loop", "file"]), st.text()
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(PARTS, max_size=6), st.booleans())
def test_no_path_leads_out(datasets: Datasets, root: Path, parts: list[str], below: bool) -> None:
    text = "/".join(parts)
    try:
        found = datasets.check(Path(f"{root}/{text}" if below else text))
    except (ForbiddenError, InputError):
        return
    assert found.is_dir()
    assert found.resolve().is_relative_to(root)
