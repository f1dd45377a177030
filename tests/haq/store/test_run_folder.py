from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from haq.store import RunFolder, write_json
from haq.store.run_folder import discard, make_folder, read_json, write_bytes
from quant.errors import InputError

SETTINGS = {"model": "mbv2", "bits": (8, 16), "budget": None}


def open_(folder: RunFolder, settings: Mapping[str, Any] = SETTINGS) -> Path | None:
    with folder.open(settings) as made:
        return made


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_names_of_the_files() -> None:
    folder = RunFolder(Path("runs/x"), "mbv2")
    names = [
        *("settings", "policy", "trials", "store", "profile", "summary", "report"),
        *("ncnn_param", "ncnn_bin", "metadata", "onnx"),
    ]
    paths: list[Path] = [getattr(folder, name) for name in names]
    assert {path.parent for path in paths} == {Path("runs/x")}
    assert [path.name for path in paths] == [
        *("run.json", "policy.json", "trials.jsonl", "store.sqlite"),
        *("profile.json", "summary.json", "report.html"),
        *("mbv2.ncnn.param", "mbv2.ncnn.bin", "metadata.yaml", "mbv2.onnx"),
    ]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("mbv2", "mbv2.onnx"),
        ("nets.own:make", "make.onnx"),
        ("net.onnx", "net.onnx"),
        ("../nets/my.net.pt2", "my.net.onnx"),
    ],
)
def test_files_of_the_users_own_networks_lie_in_the_folder(model: str, name: str) -> None:
    assert RunFolder(Path("run"), model).onnx == Path("run") / name


def test_a_new_folder_is_made_and_an_equal_run_continued(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "run", "mbv2")
    assert open_(folder) is not None
    settings = {"model": "mbv2", "bits": [8, 16], "budget": None}
    assert read_json(folder.settings) == {"id": folder.run_id, **settings}
    before = content(tmp_path)
    assert open_(folder) is None
    assert content(tmp_path) == before


def test_what_comes_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "deep" / "runs" / "a", "mbv2")
    made = open_(folder)
    assert made == tmp_path / "deep"
    discard(folder.path, made)
    assert list(tmp_path.iterdir()) == []


def test_what_comes_to_nothing_spares_its_neighbours(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "a", "mbv2")
    made = open_(folder)
    assert made is not None
    open_(RunFolder(tmp_path / "runs" / "b", "mbv2"))
    discard(folder.path, made)
    assert list(content(tmp_path)) == ["runs/b/run.json"]


def test_folders_that_were_there_stay(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    folder = RunFolder(tmp_path / "mine" / "a", "mbv2")
    made = open_(folder)
    assert made == folder.path
    discard(folder.path, made)
    assert list((tmp_path / "mine").iterdir()) == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert open_(RunFolder(tmp_path, "mbv2")) is not None


def test_other_settings_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "mbv2")
    open_(folder)
    before = content(tmp_path)
    with pytest.raises(InputError, match=r"weights or images \(budget\): restore them, or name"):
        open_(folder, {**SETTINGS, "budget": "size=1MB"})
    assert content(tmp_path) == before


def test_where_a_run_is_kept_may_change(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "mbv2")
    open_(folder, {**SETTINGS, "store": None})
    begun = content(tmp_path)
    folder.keep_in(folder.kept_in)
    assert (folder.kept_in, content(tmp_path)) == (None, begun)
    folder.keep_in("sqlite:////srv/store.sqlite")
    assert open_(folder, {**SETTINGS, "store": "postgresql://localhost/haq"}) is None
    assert folder.kept_in == "sqlite:////srv/store.sqlite"
    assert folder.run_id == RunFolder(tmp_path, "mbv2").run_id


def test_foreign_folders_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match="is no run folder: name another --out"):
            open_(RunFolder(path, "mbv2"))
    with pytest.raises(InputError, match=r"notes\.txt/run cannot be made: Not a directory"):
        open_(RunFolder(tmp_path / "notes.txt" / "run", "mbv2"))
    assert content(tmp_path) == {"notes.txt": b"mine"}


def test_damaged_settings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json is not readable JSON"):
        open_(RunFolder(tmp_path, "mbv2"))


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1}
    write_bytes(path, b'{"a": 2}')
    assert read_json(path) == {"a": 2}
    assert [p.name for p in tmp_path.iterdir()] == ["summary.json"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file: .*absent\.json"):
        read_json(tmp_path / "absent.json")


def test_a_folder_that_is_there_is_fine(tmp_path: Path) -> None:
    make_folder(tmp_path)
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
