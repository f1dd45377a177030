from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from haq.data import fashion_mnist
from haq.data.fashion_mnist import (
    FOLDER_VARIABLE,
    IMAGE_MAGIC,
    LABEL_MAGIC,
    PARTS,
    SAMPLE,
    balanced_rows,
    find_folder,
    load_full,
    load_sample,
    make_sample,
)
from haq.data.images import Images
from quant.errors import DataError

SIZES = {"calibration": 200, "validation": 1000, "test": 2000}


def idx(magic: int, *dimensions: int, payload: bytes) -> bytes:
    header = b"".join(number.to_bytes(4, "big") for number in (magic, *dimensions))
    return gzip.compress(header + payload, mtime=0)


def write_idx(folder: Path, split: str, count: int, seed: int = 0) -> Images:
    """Random images as the two files of a split; labels take turns."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 1, 28, 28), np.uint8)
    labels = np.arange(count) % 10
    folder.mkdir(exist_ok=True)
    images = idx(IMAGE_MAGIC, count, 28, 28, payload=pixels.tobytes())
    (folder / f"{split}-images-idx3-ubyte.gz").write_bytes(images)
    text = idx(LABEL_MAGIC, count, payload=labels.astype(np.uint8).tobytes())
    (folder / f"{split}-labels-idx1-ubyte.gz").write_bytes(text)
    return Images(pixels, labels.astype(np.int64))


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "fashion"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    write_idx(folder, "train", 60)
    write_idx(folder, "t10k", 90, seed=1)
    return folder


def refuse(match: str) -> None:
    with pytest.raises(DataError, match=match) as raised:
        load_full("train")
    assert "\n" not in str(raised.value)


def test_idx_files_are_read_and_padded(on_disk: Path) -> None:
    written = write_idx(on_disk, "train", 7)
    found = load_full("train")
    assert found.pixels.shape == (7, 1, 32, 32)
    np.testing.assert_array_equal(found.pixels[:, :, 2:30, 2:30], written.pixels)
    np.testing.assert_array_equal(found.labels, written.labels)


def test_the_named_folder_comes_first(on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_folder() == on_disk
    monkeypatch.setattr(fashion_mnist, "FOLDERS", ())
    monkeypatch.setenv(FOLDER_VARIABLE, str(on_disk / "absent"))
    assert find_folder() is None
    refuse(f"was not found: install .* name it in {FOLDER_VARIABLE}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no gzip",
        gzip.compress(b"", mtime=0),
        gzip.compress(b"no idx file", mtime=0),
        idx(LABEL_MAGIC, 2, 28, 28, payload=bytes(2 * 784)),
        idx(IMAGE_MAGIC, 2, 28, 28, payload=bytes(2 * 784))[:-20],
        idx(IMAGE_MAGIC, 2, 28, 28, payload=bytes(1000)),
        idx(IMAGE_MAGIC, 2, 28, 28, payload=bytes(2 * 784 + 5)),
        idx(IMAGE_MAGIC, 3, 28, 28, payload=bytes(2 * 784)),
        idx(IMAGE_MAGIC, 2, 32, 32, payload=bytes(2 * 1024)),
        gzip.compress(np.random.default_rng(0).bytes(3000), mtime=0)[:900] + bytes(900),
    ],
)
def test_other_files_are_refused(content: bytes, on_disk: Path) -> None:
    (on_disk / "train-images-idx3-ubyte.gz").write_bytes(content)
    refuse(r"train-images-idx3-ubyte\.gz (cannot be read|is not an idx file)")


def test_every_damaged_byte_is_noticed(on_disk: Path) -> None:
    path = on_disk / "train-images-idx3-ubyte.gz"
    whole = idx(IMAGE_MAGIC, 1, 28, 28, payload=np.random.default_rng(0).bytes(784))
    for at in range(10, len(whole), 7):
        damaged = bytearray(whole)
        damaged[at] ^= 0x55
        path.write_bytes(damaged)
        refuse("cannot be read|is not an idx file")


def test_a_split_without_labels_is_refused(on_disk: Path) -> None:
    (on_disk / "train-labels-idx1-ubyte.gz").unlink()
    refuse(r"train-labels-idx1-ubyte\.gz cannot be read")


def test_labels_must_be_as_many_as_images(on_disk: Path) -> None:
    labels = idx(LABEL_MAGIC, 3, payload=bytes(3))
    (on_disk / "train-labels-idx1-ubyte.gz").write_bytes(labels)
    refuse("one label each")


@pytest.mark.parametrize("part", PARTS)
def test_the_packaged_parts_are_balanced(part: str) -> None:
    images = load_sample(part)
    assert images.pixels.shape == (SIZES[part], 1, 32, 32)
    assert np.bincount(images.labels).tolist() == [SIZES[part] // 10] * 10
    for prefix in (10, 50, 100):
        assert np.bincount(images.labels[:prefix]).tolist() == [prefix // 10] * 10


def test_the_packaged_parts_are_disjoint() -> None:
    contents = [image.tobytes() for part in PARTS for image in load_sample(part).pixels]
    assert len(contents) == 3200
    assert len(set(contents)) == 3200


def test_the_packaged_file_needs_no_pickle_and_is_small() -> None:
    assert SAMPLE.stat().st_size < 2e6
    with np.load(SAMPLE, allow_pickle=False) as arrays:
        assert sorted(arrays) == sorted(f"{p}_{k}" for p in PARTS for k in ("images", "labels"))
        assert {str(arrays[name].dtype) for name in arrays} == {"uint8"}


def test_a_sample_is_made_of_disjoint_balanced_rows(
    on_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "SAMPLE", tmp_path / "sample.npz")
    make_sample(tmp_path / "sample.npz", (20, 30, 40))
    parts = {part: load_sample(part, 28) for part in PARTS}
    assert [len(images) for images in parts.values()] == [20, 30, 40]
    train = {image.tobytes() for image in load_full("train", 28).pixels}
    t10k = {image.tobytes() for image in load_full("t10k", 28).pixels}
    contents = {part: {i.tobytes() for i in images.pixels} for part, images in parts.items()}
    assert contents["calibration"] <= train
    assert contents["validation"] | contents["test"] <= t10k
    assert not contents["validation"] & contents["test"]
    for images in parts.values():
        assert len(set(np.bincount(images.labels).tolist())) == 1


def test_balanced_rows_take_turns() -> None:
    labels = np.repeat(np.arange(4), 25)
    rows = balanced_rows(labels, 40, np.random.default_rng(0))
    assert len(set(rows.tolist())) == 40
    np.testing.assert_array_equal(labels[rows], np.tile(np.arange(4), 10))
