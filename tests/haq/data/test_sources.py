from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.data import Images, Splits, load_calibration, load_images, load_splits
from haq.data.fashion_mnist import FOLDER_VARIABLE, load_full, load_sample
from haq.data.sources import cut, parse_source
from quant.errors import DataError
from tests.haq.data.test_fashion_mnist import write_idx
from tests.haq.data.test_images import numbered
from tests.haq.subjects import write_images

SIDE = 4


def labels(splits: Splits) -> list[list[int]]:
    return [list(part.labels) for part in (splits.calibration, splits.validation, splits.test)]


def same(one: Images, other: Images) -> bool:
    return one.digest() == other.digest()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("sample", ("sample", None, None)),
        ("imagenet/val:0-999", ("imagenet/val", 0, 999)),
        ("C:/images:3-3", ("C:/images", 3, 3)),
        ("a:b", ("a:b", None, None)),
        ("a:1-", ("a:1-", None, None)),
        (":1-2", (":1-2", None, None)),
        ("a:1-2:3-4", ("a:1-2", 3, 4)),
    ],
)
def test_a_source_is_a_path_and_rows(
    source: str, expected: tuple[str, int | None, int | None]
) -> None:
    assert parse_source(source) == expected


@given(st.integers(10, 1500), st.booleans())
def test_cut_parts_are_all_the_rows_once_in_order(count: int, with_calibration: bool) -> None:
    images = Images(np.zeros((count, 1, 1, 1), np.uint8), np.arange(count))
    calibration, validation, test = labels(cut(images, with_calibration))
    kept = calibration if with_calibration else []
    assert kept + validation + test == list(range(count))
    if with_calibration:
        assert len(calibration) == min(count // 10, 100)
    assert len(validation) >= len(test) - 1
    assert len(test) >= 4


def test_shares_of_a_cut() -> None:
    thousand = Images(np.zeros((1000, 1, 1, 1), np.uint8), np.arange(1000))
    assert [len(part) for part in labels(cut(thousand, True))] == [100, 500, 400]
    assert [len(part) for part in labels(cut(thousand, False))][1:] == [500, 500]


def test_ten_images_are_the_least(tmp_path: Path) -> None:
    data = write_images(tmp_path / "data", numbered(9))
    with pytest.raises(DataError, match="at least 10 images, got 9"):
        load_splits(str(data), None, SIDE)


def test_splits_of_a_folder_are_disjoint(tmp_path: Path) -> None:
    data = write_images(tmp_path / "data", numbered(40))
    parts = labels(load_splits(str(data), None, SIDE))
    assert parts == [list(range(4)), list(range(4, 24)), list(range(24, 40))]
    parts = labels(load_splits(f"{data}:10-29", f"{data}:0-3", SIDE))
    assert parts == [list(range(4)), list(range(10, 20)), list(range(20, 30))]


def test_the_packaged_sample_has_its_own_parts(tmp_path: Path) -> None:
    splits = load_splits("sample", None, 32)
    assert same(splits.calibration, load_sample("calibration"))
    assert same(splits.validation, load_sample("validation"))
    assert same(splits.test, load_sample("test"))
    ours = load_splits("sample", str(write_images(tmp_path / "data", numbered(3, 32))), 32)
    assert len(ours.calibration) == 3
    assert same(ours.test, splits.test)


def test_rows_of_the_packaged_test_images() -> None:
    assert same(load_images("sample", 32), load_sample("test"))
    assert same(load_images("sample:5-9", 32), load_sample("test").rows(5, 9))
    with pytest.raises(DataError, match="rows 0-1999"):
        load_images("sample:0-2000", 32)


def test_fashion_mnist_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "fashion"))
    write_idx(tmp_path / "fashion", "train", 600)
    write_idx(tmp_path / "fashion", "t10k", 2100, seed=1)
    splits = load_splits("fashion-mnist", None, 32)
    assert same(splits.calibration, load_full("train").rows(0, 499))
    assert same(splits.validation, load_full("t10k").rows(0, 1999))
    assert same(splits.test, load_full("t10k").rows(2000, 2099))
    some = load_images("fashion-mnist:3-7", 32)
    assert same(some, load_full("t10k").rows(3, 7))
    assert same(load_calibration("fashion-mnist:3-7", None, some, 32), splits.calibration)


def test_calibration_images_of_an_evaluation(tmp_path: Path) -> None:
    images, other = numbered(150), str(write_images(tmp_path / "data", numbered(3)))
    assert same(load_calibration("folder", None, images, SIDE), images.rows(0, 99))
    assert same(load_calibration("folder", other, images, SIDE), numbered(3))
    packaged = load_sample("calibration")
    assert same(load_calibration("sample:0-9", None, images, 32), packaged)
