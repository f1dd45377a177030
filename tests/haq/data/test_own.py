from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

from haq.data import load_calibration, load_images
from quant.errors import DataError, InputError

SIDE = 6
MODULE = "own_images"
NAME = f"{MODULE}:load"
Load = Callable[[Callable[[], Any]], str]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Makes a function one that can be named."""

    def give(function: Callable[[], Any]) -> str:
        module = type(sys)(MODULE)
        module.__dict__["load"] = function
        monkeypatch.setitem(sys.modules, MODULE, module)
        return NAME

    return give


def pixels(value: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((SIDE, SIDE), value, np.uint8)


def pairs(count: int = 5) -> list[tuple[Any, int]]:
    return [(pixels(10 * row), row) for row in range(count)]


class Squares(Dataset[tuple[Any, int]]):
    """Never says by an IndexError that it has ended; counts what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __len__(self) -> int:
        return 5

    def __getitem__(self, row: int) -> tuple[Any, int]:
        self.asked.append(row)
        return Image.fromarray(pixels(10 * (row % 5))), row % 5


def batches() -> DataLoader[Any]:
    data = torch.stack([torch.from_numpy(image)[None] for image, _ in pairs()])
    return DataLoader(TensorDataset(data.float() / 255, torch.arange(5)), batch_size=2)


def arrays() -> tuple[Any, Any]:
    return np.stack([image for image, _ in pairs()]), np.arange(5)


FORMS: dict[str, Callable[[], Any]] = {
    "list": pairs,
    "generator": lambda: iter(pairs()),
    "dataset": Squares,
    "loader": batches,
    "arrays": arrays,
    "tensors": lambda: tuple(torch.from_numpy(part) for part in arrays()),
    "planes": lambda: (arrays()[0][:, None], arrays()[1]),
    "lists": lambda: [[image, label] for image, label in pairs()],
}


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_give_the_same_images(form: str, given: Load) -> None:
    images = load_images(given(FORMS[form]), SIDE)
    assert images.pixels[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    assert images.labels.tolist() == [0, 1, 2, 3, 4]
    some = load_images(f"{NAME}:1-3", SIDE)
    assert some.digest() == images.rows(1, 3).digest()
    with pytest.raises(DataError, match="own_images:load has no rows 3-5"):
        load_images(f"{NAME}:3-5", SIDE)


def test_nothing_behind_the_last_row_is_asked_for(given: Load) -> None:
    def endless() -> Iterator[tuple[Any, int]]:
        row = 0
        while True:
            assert row < 3
            yield pixels(row), row
            row += 1

    given(endless)
    assert load_images(f"{NAME}:1-2", SIDE).labels.tolist() == [1, 2]


def test_a_file_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_file.py").write_text(
        "import numpy as np\n\ndef load():\n    yield np.full((6, 6, 3), 9, np.uint8), 4\n"
    )
    images = load_images("own_file:load", SIDE)
    assert images.pixels.shape == (1, 3, SIDE, SIDE)
    assert images.labels.tolist() == [4]


def test_a_folder_of_that_name_is_read_and_nothing_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_trap.py").write_text("raise SystemError\n")
    (tmp_path / "own_trap:load").mkdir()
    with pytest.raises(DataError, match="own_trap:load holds no images"):
        load_images("own_trap:load", SIDE)


def test_masks(given: Load) -> None:
    mask = np.arange(36).reshape(6, 6)
    given(lambda: [(pixels(1), mask)] * 2)
    assert np.array_equal(load_images(NAME, SIDE).labels, [mask, mask])
    given(lambda: (np.stack([pixels(1)] * 3), np.stack([mask] * 3)))
    assert load_images(NAME, SIDE).labels.shape == (3, 6, 6)


def test_images_alone_are_for_calibration(given: Load) -> None:
    given(lambda: [pixels(value) for value in range(3)])
    some = load_images("sample:0-1", 32)
    assert len(load_calibration("sample", NAME, some, SIDE)) == 3
    with pytest.raises(DataError, match="image 0 of own_images:load has no label"):
        load_images(NAME, SIDE)


def fail() -> Any:
    raise RuntimeError("no disk")


def fail_later() -> Iterator[Any]:
    yield from pairs(2)
    raise RuntimeError("no disk")


@pytest.mark.parametrize("function", [fail, fail_later])
def test_what_the_function_raises_is_one_line_with_its_name(
    function: Callable[[], Any], given: Load
) -> None:
    given(function)
    expected = r"own_images:load failed: RuntimeError: no disk \(test_own\.py:\d+\)"
    with pytest.raises(InputError, match=expected):
        load_images(NAME, SIDE)


@pytest.mark.parametrize(
    ("returned", "match"),
    [
        (None, "returns a NoneType: pairs"),
        ({"image": 1}, "returns a dict"),
        ("text", "returns a str"),
        ([], "holds no images"),
        ([3], "image 0 of own_images:load is a int"),
        ([(pixels(0), "cat")], "image 0 of own_images:load has a label of"),
        ([(pixels(0) / 100 - 1, 0)], r"floats outside of 0\.\.1"),
        ([(pixels(0), 0), (pixels(0), -2)], "image 1 of own_images:load has a label"),
        ((np.zeros((3, 4, 4), np.uint8), np.zeros(2, int)), "failed: ValueError: zip"),
    ],
)
def test_what_cannot_be_used_is_named(returned: Any, match: str, given: Load) -> None:
    given(lambda: returned)
    with pytest.raises(InputError, match=match) as raised:
        load_images(NAME, SIDE)
    assert "\n" not in str(raised.value)
