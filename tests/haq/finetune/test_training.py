from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from haq.finetune import Recipe
from haq.finetune.checkpoint import FILE
from haq.finetune.score import Scorer
from haq.finetune.source import Batch
from haq.finetune.stages import plan_stages
from haq.finetune.training import batches, make_drop, make_optimizer, set_rates, take_step
from quant.errors import InputError
from tests.haq.finetune.tiny import (
    CPU,
    IMAGES,
    RECIPE,
    equal,
    fresh_net,
    network,
    policy,
    run,
    start,
)
from tests.haq.subjects import cropped

RECIPES = {
    "whole": RECIPE,
    "blocks": replace(RECIPE, stages="blocks"),
    "labels, QDrop": replace(RECIPE, distill=False, labels=True, drop=0.5, augment=False),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("epochs", [1, 2])
def test_an_interrupted_training_ends_in_the_same_bits(
    name: str, epochs: int, tmp_path: Path
) -> None:
    recipe = RECIPES[name]
    straight, all_epochs = run(tmp_path / "straight", recipe)
    stopped, before = run(tmp_path / "resumed", recipe, epochs)
    torch.manual_seed(99)
    resumed, after = run(tmp_path / "resumed", recipe)
    assert equal(straight, resumed)
    if len(before) < len(all_epochs):
        assert not equal(straight, stopped)
    losses = [(e.stage, e.epoch, e.loss) for e in before + after]
    assert losses == [(e.stage, e.epoch, e.loss) for e in all_epochs]
    one, other = (load_file(tmp_path / name / FILE) for name in ("straight", "resumed"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_finished_training_has_nothing_left_to_do(tmp_path: Path) -> None:
    first, _ = run(tmp_path)
    again, epochs = run(tmp_path)
    assert epochs == []
    assert equal(first, again)


def test_stages_come_from_the_last_blocks_to_the_image(tmp_path: Path) -> None:
    recipe = replace(RECIPE, stages="blocks", epochs=1)
    stages = plan_stages(network().graph, "blocks")
    before = fresh_net().state_dict()
    for count, stage in enumerate(stages, 1):
        net, _ = run(tmp_path / str(count), recipe, count)
        moved = {
            name for name, layer in net.by_name.items()
            for key, value in layer.state_dict().items()
            if not torch.equal(value, before[f"layers.{list(net.by_name).index(name)}.{key}"])
        }  # fmt: skip
        assert moved == set(stage.layers)


@pytest.mark.parametrize("name", ["whole", "labels, QDrop"])
def test_a_few_epochs_lower_the_loss(name: str, tmp_path: Path) -> None:
    recipe = replace(RECIPES[name], epochs=16, rate=0.05, drop=0.0, augment=False)
    _, epochs = run(tmp_path, recipe, images=cropped("validation", 64))
    assert epochs[-1].loss < 0.8 * epochs[0].loss


def test_distillation_brings_unseen_logits_closer(tmp_path: Path) -> None:
    net, _ = run(tmp_path, replace(RECIPE, epochs=3, rate=0.05), images=cropped("validation", 200))
    scorer = Scorer(network(), cropped("test", 200), CPU)
    before, after = (scorer.score(ls, policy()) for ls in (start(), net.to_quantized()))
    assert after.kl < 0.9 * before.kl


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    stage = plan_stages(network().graph, "whole")[0]
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(6, 1, 16, 16, generator=generator)
    batch = Batch(x, None, torch.arange(6))
    recipe = replace(RECIPE, distill=False, labels=True)
    found = []
    for parts in ([batch], list(batch.split(2))):
        net = fresh_net()
        optimizer = make_optimizer(net, stage)
        total = 0.0
        for part in parts:
            total += take_step(net, optimizer, stage, part, recipe, None) * len(part.x) / len(x)
        found.append(total)
    # At a rate of zero nothing moves, so the losses of the parts are those of the batch.
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert [len(part.x) for part in batch.split(4)] == [4, 2]


def test_each_kind_has_its_rate_which_falls_to_zero() -> None:
    net = fresh_net()
    optimizer = make_optimizer(net, plan_stages(net.graph, "whole")[0])
    recipe = Recipe(rate=0.5, step_share=0.1, bias_share=0.2)
    set_rates(optimizer, recipe, 0.0)
    rates = {group["kind"]: group["lr"] for group in optimizer.param_groups}
    assert rates == pytest.approx({"weights": 0.5, "steps": 0.05, "biases": 0.1})
    set_rates(optimizer, recipe, 0.5)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.25)
    set_rates(optimizer, recipe, 1.0)
    assert {group["lr"] for group in optimizer.param_groups} == {0.0}
    count = sum(len(group["params"]) for group in optimizer.param_groups)
    assert count == len(list(net.parameters()))


def test_batches_hold_every_image_once_at_most() -> None:
    rows = batches(50, 16, np.random.default_rng(0))
    assert rows.shape == (3, 16)
    assert len(set(rows.ravel().tolist())) == 48


def test_epochs_drop_other_values() -> None:
    recipe = replace(RECIPE, drop=0.5)
    masks = []
    for number in (0, 0, 1):
        drop = make_drop(recipe, number, CPU)
        assert drop is not None
        masks.append(drop.draw(torch.empty(1, 2, 9, 9)))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert make_drop(RECIPE, 0, CPU) is None


def test_a_batch_needs_as_many_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a batch of 41 needs as many images, got 40"):
        run(tmp_path, replace(RECIPE, batch=41))
    assert len(IMAGES) == 40
