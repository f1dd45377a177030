from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

from haq.data import Images
from haq.data.faces import CLASSES, draw_faces
from haq.train import (
    Recipe,
    learning_rate,
    make_optimizer,
    measure_top1,
    read_header,
    save_weights,
    train,
)
from haq.zoo import NetConfig, build, load
from quant.errors import InputError
from tests.haq.subjects import SMALL, cropped

RECIPE = Recipe(epochs=2, batch=16, seed=3)
IMAGES = cropped("validation", 50)
recipes = st.builds(Recipe, warmup=st.floats(0, 1), peak_rate=st.floats(1e-3, 1))


def fresh_net() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(RECIPE.seed)
        return build(SMALL)


def run(folder: Path, recipe: Recipe = RECIPE, epochs: int | None = None) -> nn.Module:
    """Train, stopping after `epochs` epochs as if interrupted."""
    net = fresh_net()
    for done in train(net, IMAGES, IMAGES, recipe, folder):
        if done.epoch == epochs:
            break
    return net


def equal(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_interrupted_training_ends_in_the_same_bits(tmp_path: Path) -> None:
    straight = run(tmp_path / "straight")
    stopped = run(tmp_path / "resumed", epochs=1)
    torch.manual_seed(99)
    resumed = run(tmp_path / "resumed")
    assert equal(straight, resumed)
    assert not equal(straight, stopped)
    one, other = (tmp_path / n / "checkpoint.safetensors" for n in ("straight", "resumed"))
    assert read_header(one) == read_header(other)
    ours, theirs = load_file(one), load_file(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_finished_training_has_nothing_left_to_do(tmp_path: Path) -> None:
    first = run(tmp_path)
    net = fresh_net()
    assert list(train(net, IMAGES, IMAGES, RECIPE, tmp_path)) == []
    assert equal(first, net)


def test_every_epoch_is_logged(tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    run(tmp_path)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


@pytest.mark.parametrize(
    "other",
    [replace(RECIPE, seed=4), replace(RECIPE, epochs=3), replace(RECIPE, peak_rate=0.1)],
)
def test_another_recipe_in_the_same_folder_is_refused(other: Recipe, tmp_path: Path) -> None:
    run(tmp_path, epochs=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(InputError, match="made by another recipe: name another --out"):
        run(tmp_path, other)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x02\0\0\0\0\0\0\0{}"])
def test_another_file_in_place_of_the_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="is no checkpoint of a training"):
        run(tmp_path)


def test_a_batch_needs_as_many_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a batch of 51 needs as many images, got 50"):
        run(tmp_path, replace(RECIPE, batch=51))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        run(tmp_path / "file")


@given(recipes, st.integers(1, 300))
def test_the_rate_rises_to_its_peak_and_falls_towards_zero(recipe: Recipe, steps: int) -> None:
    rates = [learning_rate(step, steps, recipe) for step in range(steps)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) == pytest.approx(recipe.peak_rate)
    assert min(rates) > 0
    assert top + 1 in (max(1, int(steps * recipe.warmup)), max(1, int(steps * recipe.warmup)) + 1)


def test_the_rate_at_known_steps() -> None:
    recipe = Recipe(peak_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, recipe) for step in (0, 4, 9, 10, 55, 99)]
    np.testing.assert_allclose(rates, [0.1, 0.5, 1.0, 1.0, 0.5, 1 / 90])


def test_weight_decay_spares_biases_and_norms() -> None:
    net = fresh_net()
    decayed, free = make_optimizer(net, RECIPE).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (RECIPE.weight_decay, 0)
    kinds = {id(p): p.ndim for p in net.parameters()}
    assert {kinds[id(p)] for p in decayed["params"]} == {2, 4}
    assert {kinds[id(p)] for p in free["params"]} == {1}
    assert len(decayed["params"]) + len(free["params"]) == len(kinds)


def test_a_few_steps_lower_the_loss(tmp_path: Path) -> None:
    recipe = Recipe(epochs=8, batch=25, peak_rate=0.02)
    images = cropped("validation", 200)
    losses = [e.loss for e in train(fresh_net(), images, IMAGES, recipe, tmp_path)]
    assert losses[-1] < 0.8 * losses[0]


def test_top1_counts_all_images() -> None:
    class FirstPixel(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            index = ((x[:, 0, 0, 0] + 1) * 127.5).round().long()
            return nn.functional.one_hot(index, 10).float()

    labels = np.arange(27) % 10
    pixels = np.broadcast_to(labels[:, None, None, None], (27, 1, 4, 4)).astype(np.uint8)
    wrong = labels.copy()
    wrong[[3, 20]] += 1
    assert measure_top1(FirstPixel(), Images(pixels, labels), batch=10) == 1
    assert measure_top1(FirstPixel(), Images(pixels, wrong), batch=10) == 25 / 27


def test_top1_of_masks_is_that_of_their_pixels() -> None:
    class AlwaysOne(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1).expand(len(x), 2, 2, 2)

    masks = np.array([[[1, 1], [1, 0]], [[1, -1], [-1, 0]]])
    images = Images(np.zeros((2, 3, 2, 2), np.uint8), masks)
    assert measure_top1(AlwaysOne(), images) == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_a_few_steps_lower_the_loss_of_masks(tmp_path: Path) -> None:
    faces = draw_faces(60, (3,), 32)
    net = build(NetConfig("mbv2_seg", 32, 3, len(CLASSES)))
    recipe = Recipe(epochs=3, batch=20, peak_rate=0.05)
    losses = [epoch.loss for epoch in train(net, faces, faces, recipe, tmp_path)]
    assert losses[-1] < 0.8 * losses[0]


def test_saved_weights_load_again(tmp_path: Path) -> None:
    net = run(tmp_path, epochs=1)
    save_weights(net, tmp_path / "deep" / "weights.safetensors")
    again, config = load("mbv2", tmp_path / "deep" / "weights.safetensors", 16, "torch")
    assert config == SMALL
    assert equal(net, again)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["weights.safetensors"]
