from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from haq.data import load_images
from quant.errors import DataError, InputError

SIDE = 6


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"datasets is not installed: pip install 'haq\[hf\]'"):
        load_images("hf:mnist", SIDE)


def test_a_folder_of_its_name_is_not_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "datasets").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "datasets", raising=False)
    with pytest.raises(DataError, match="not installed"):
        load_images("hf:mnist", SIDE)
    sys.modules.pop("datasets", None)


def test_an_old_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = type(sys)("datasets")
    old.__dict__["__version__"] = "3.6.0"
    monkeypatch.setitem(sys.modules, "datasets", old)
    with pytest.raises(DataError, match=r"datasets 3\.6\.0 is too old"):
        load_images("hf:mnist", SIDE)


def test_a_folder_that_it_wrote_is_told_from_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(DataError, match=f"written by Hugging Face datasets: write hf:{tmp_path}"):
        load_images(str(tmp_path), SIDE)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return pytest.importorskip("datasets", reason="needs haq[hf]")


def made(library: Any, count: int = 6) -> Any:
    kinds = {"picture": library.Image(), "kind": library.ClassLabel(num_classes=3)}
    rows = {
        "picture": [Image.new("L", (SIDE, SIDE), value) for value in range(count)],
        "kind": [value % 3 for value in range(count)],
    }
    return library.Dataset.from_dict(rows, features=library.Features(kinds))


def test_a_saved_table(library: Any, tmp_path: Path) -> None:
    made(library).save_to_disk(tmp_path / "saved")
    images = load_images(f"hf:{tmp_path / 'saved'}", SIDE)
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert images.labels.tolist() == [0, 1, 2, 0, 1, 2]
    some = load_images(f"hf:{tmp_path / 'saved'}:2-3", SIDE)
    assert some.digest() == images.rows(2, 3).digest()
    with pytest.raises(DataError, match="has rows 0-5, not 4-6"):
        load_images(f"hf:{tmp_path / 'saved'}:4-6", SIDE)


def test_splits(library: Any, tmp_path: Path) -> None:
    path = tmp_path / "saved"
    library.DatasetDict({"train": made(library), "test": made(library, 2)}).save_to_disk(path)
    assert len(load_images(f"hf:{path}:test", SIDE)) == 2
    assert load_images(f"hf:{path}:train:1-2", SIDE).labels.tolist() == [1, 2]
    for source in (f"hf:{path}", f"hf:{path}:validation"):
        with pytest.raises(DataError, match=r"choose a split, .*:train or :test"):
            load_images(source, SIDE)


def test_a_name_that_cannot_be_loaded(library: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hf:nobody/nothing cannot be loaded"):
        load_images("hf:nobody/nothing", SIDE)
    with pytest.raises(InputError, match=f"hf:{tmp_path} cannot be loaded"):
        load_images(f"hf:{tmp_path}", SIDE)


def test_columns(library: Any, tmp_path: Path) -> None:
    masks = [np.full((SIDE, SIDE), value, np.uint8) for value in range(2)]
    rows = {"image": [Image.new("RGB", (SIDE, SIDE))] * 2, "mask": map(Image.fromarray, masks)}
    kinds = library.Features({"image": library.Image(), "mask": library.Image()})
    table = library.Dataset.from_dict({k: list(v) for k, v in rows.items()}, features=kinds)
    table.save_to_disk(tmp_path / "masks")
    assert np.array_equal(load_images(f"hf:{tmp_path / 'masks'}", SIDE).labels, masks)
    library.Dataset.from_dict({"text": ["a"]}).save_to_disk(tmp_path / "text")
    with pytest.raises(DataError, match="no column of images, only text"):
        load_images(f"hf:{tmp_path / 'text'}", SIDE)
