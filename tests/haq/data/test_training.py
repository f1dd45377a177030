from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from haq.data.fashion_mnist import FOLDER_VARIABLE, load_full, load_sample
from haq.data.training import load_training
from quant.errors import DataError
from tests.haq.data.test_fashion_mnist import write_idx
from tests.haq.subjects import cropped, write_images


def test_the_sample_trains_on_its_calibration_images() -> None:
    images, held_out = load_training("sample", None, 32)
    assert images.digest() == load_sample("calibration").digest()
    assert held_out.digest() == load_sample("test").digest()


def test_fashion_mnist_trains_on_rows_of_its_training_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    write_idx(tmp_path, "train", 20)
    write_idx(tmp_path, "t10k", 10, seed=1)
    images, held_out = load_training("fashion-mnist:5-14", None, 32)
    assert images.digest() == load_full("train").rows(5, 14).digest()
    assert held_out.digest() == load_full("t10k").digest()


def test_the_last_fifth_of_a_folder_is_held_out(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", cropped("test", 20))
    images, held_out = load_training(str(folder), None, 16)
    assert (len(images), len(held_out)) == (16, 4)
    assert np.array_equal(held_out.pixels, cropped("test", 20).pixels[16:])
    some, _ = load_training(f"{folder}:0-9", None, 16)
    assert len(some) == 8
    every, named = load_training(f"{folder}:0-14", f"{folder}:15-19", 16)
    assert (len(every), len(named)) == (15, 5)


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", cropped("test", 4))
    with pytest.raises(DataError, match="at least 5 images, got 4"):
        load_training(str(folder), None, 16)
