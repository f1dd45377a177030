from __future__ import annotations

from pathlib import Path

import pytest

from haq.data import load_images
from haq.data.table import read_table
from quant.errors import DataError
from tests.haq.data.test_folder import SIDE, save


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_anywhere_names_files_from_its_folder(tmp_path: Path) -> None:
    for name, value in (("lists/a.png", 1), ("photos/b.png", 2), ("photos/c.png", 3)):
        save(tmp_path / name, value)
    table = write(
        tmp_path / "lists" / "some.csv",
        *("file,label", "a.png,4", "../photos/b.png,5", f"{tmp_path / 'photos' / 'c.png'},6"),
    )
    images = load_images(str(table), SIDE)
    assert images.labels.tolist() == [4, 5, 6]
    assert images.pixels[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert load_images(f"{table}:1-2", SIDE).labels.tolist() == [5, 6]


def test_without_labels_it_is_for_calibration(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 3)
    table = str(write(tmp_path / "some.csv", "file", "a.png"))
    assert load_images(table, SIDE, labelled=False).labels.tolist() == [-1]
    with pytest.raises(DataError, match="needs the columns file,label"):
        load_images(table, SIDE)


def test_a_label_that_is_text_is_refused_with_what_to_do(tmp_path: Path) -> None:
    table = write(tmp_path / "some.csv", "file,label", "a.png,cat")
    with pytest.raises(DataError, match="'cat' is no class number: write the number, from 0"):
        read_table(table)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read: .*No such file"):
        load_images(str(tmp_path / "none.csv"), SIDE)


def test_a_folder_may_be_called_like_a_table(tmp_path: Path) -> None:
    save(tmp_path / "faces.csv" / "class" / "a.png", 8)
    assert load_images(str(tmp_path / "faces.csv"), SIDE).pixels[0, 0, 0, 0] == 8


def test_an_empty_table_holds_no_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"some\.csv holds no images"):
        load_images(str(write(tmp_path / "some.csv", "file,label")), SIDE)
