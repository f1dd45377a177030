from __future__ import annotations

import re
from pathlib import Path

import pytest

from haq.data import fashion_mnist
from haq.data.fashion_mnist import FOLDER_VARIABLE
from haq.zoo import load
from tests.haq.cli.program import haq
from tests.haq.data.test_fashion_mnist import write_idx

SHORT = ("--batch", "10", "--rate", "0.01", "--out", "out")


@pytest.fixture
def few_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "fashion"))
    write_idx(tmp_path / "fashion", "train", 20)
    write_idx(tmp_path / "fashion", "t10k", 10, seed=1)


def test_training_goes_on_and_leaves_weights(few_images: None, cwd: Path) -> None:
    first = haq("train", "--epochs", "1", *SHORT)
    assert first.code == 0
    assert "epoch 1/1" in first.out
    assert {path.name for path in (cwd / "out").iterdir()} == {
        *("checkpoint.safetensors", "log.jsonl", "mbv2.safetensors")
    }
    weights = cwd / "out" / "mbv2.safetensors"
    before = weights.read_bytes()
    again = haq("train", "--epochs", "1", *SHORT)
    assert (again.code, again.out) == (0, "weights: out/mbv2.safetensors\n")
    assert weights.read_bytes() == before
    assert load("mbv2", weights, 32, "torch")[1].classes == 10


@pytest.mark.usefixtures("few_faces")
def test_training_on_faces_says_f1_and_leaves_weights(cwd: Path) -> None:
    done = haq(
        *("train", "--model", "mbv2_seg", "--data", "faces:0-9", "--epochs", "1", "--batch", "5"),
        *("--out", "out"),
    )
    assert done.code == 0
    assert re.search(r"^f1 0\.\d{4}$", done.out, re.M)
    config = load("mbv2_seg", cwd / "out" / "mbv2_seg.safetensors")[1]
    assert (config.channels, config.classes, config.input_size) == (3, 8, 64)


@pytest.mark.usefixtures("few_faces")
def test_masks_and_classifiers_do_not_fit(cwd: Path) -> None:
    done = haq("train", "--model", "mbv2", "--data", "faces:0-9", "--batch", "5")
    assert done.code == 2
    assert "does not fit" in done.error


def test_another_recipe_is_one_line_and_two(few_images: None, cwd: Path) -> None:
    haq("train", "--epochs", "1", *SHORT)
    done = haq("train", "--epochs", "1", "--seed", "1", *SHORT)
    assert done.code == 2
    assert done.error.endswith("was made by another recipe: name another --out or remove it")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "resnet"],
            "unknown model 'resnet': did you mean resnet50 or resnet18? `haq models` lists all",
        ),
        (["--batch", "21"], "a batch of 21 needs as many images, got 20"),
    ],
)
def test_wrong_input_is_one_line_and_writes_nothing(
    arguments: list[str], message: str, few_images: None, cwd: Path
) -> None:
    done = haq("train", *arguments)
    assert (done.code, done.error) == (2, message)
    assert list(cwd.iterdir()) == []


def test_without_the_images_it_says_where_they_come_from(
    cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "FOLDERS", ())
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    done = haq("train")
    assert done.code == 2
    assert "install Debian's dataset-fashion-mnist" in done.error
    assert list(cwd.iterdir()) == []
