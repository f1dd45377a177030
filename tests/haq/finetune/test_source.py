from __future__ import annotations

import numpy as np
import torch

from haq.finetune.recipe import Recipe
from haq.finetune.source import FromImages, FromNode, make_source, to_device
from haq.finetune.stages import plan_stages
from haq.finetune.teacher import make_teacher, run_all
from quant.float_net import FloatNet
from tests.haq.finetune.tiny import CPU, IMAGES, fresh_net, network

ROWS = np.array([3, 11, 7])


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_teacher_is_the_float_network() -> None:
    x = to_device(IMAGES.pixels, CPU)
    found = run_all(make_teacher(network()), x)
    torch.testing.assert_close(found, FloatNet(network()).logits(x), rtol=1e-3, atol=1e-3)


def test_images_come_with_their_labels_and_the_teachers_logits() -> None:
    teacher = make_teacher(network())
    batch = FromImages(IMAGES, teacher, False, CPU).draw(ROWS, rng())
    assert torch.equal(batch.x, to_device(IMAGES.pixels[ROWS], CPU))
    assert batch.labels.tolist() == IMAGES.labels[ROWS].tolist()
    assert batch.wanted is not None
    assert torch.equal(batch.wanted, run_all(teacher, batch.x))


def test_the_teacher_sees_the_augmented_image() -> None:
    teacher = make_teacher(network())
    batch = FromImages(IMAGES, teacher, True, CPU).draw(ROWS, rng())
    assert not torch.equal(batch.x, to_device(IMAGES.pixels[ROWS], CPU))
    assert batch.wanted is not None
    assert torch.equal(batch.wanted, run_all(teacher, batch.x))


def test_kept_values_are_those_of_the_quantized_front_part() -> None:
    net, teacher = fresh_net(), make_teacher(network())
    stage = plan_stages(net.graph, "blocks")[0]
    batch = FromNode(net, stage.start, IMAGES, teacher, CPU).draw(ROWS, rng())
    x = to_device(IMAGES.pixels, CPU)
    assert torch.equal(batch.x, run_all(net, x, stage.start)[ROWS])
    assert batch.wanted is not None
    assert torch.equal(batch.wanted, run_all(teacher, x)[ROWS])
    assert batch.labels.tolist() == IMAGES.labels[ROWS].tolist()


def test_only_a_stage_behind_the_image_keeps_values() -> None:
    net = fresh_net()
    kinds = [
        type(make_source(net, stage, IMAGES, None, Recipe(), CPU))
        for stage in plan_stages(net.graph, "blocks")
    ]
    assert kinds == [FromNode, FromNode, FromImages]
    assert (
        FromNode(net, net.graph.nodes[1].name, IMAGES, None, CPU).draw(ROWS, rng()).wanted is None
    )
