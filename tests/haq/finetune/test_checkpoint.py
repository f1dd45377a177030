from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from haq.finetune import Recipe, Task
from haq.finetune.checkpoint import (
    FILE,
    read_checkpoint,
    restore_net,
    restore_optimizer,
    save_checkpoint,
)
from haq.finetune.stages import plan_stages
from haq.finetune.training import make_optimizer
from quant.errors import InputError
from tests.haq.finetune.tiny import RECIPE, equal, fresh_net, network, run

TASK = Task(RECIPE, {"images": "a"})


def test_state_comes_back_to_the_bit(tmp_path: Path) -> None:
    net, (stage, *_) = fresh_net(), plan_stages(network().graph, "blocks")
    optimizer = make_optimizer(net, stage)
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    net(torch.rand(3, 1, 16, 16)).square().sum().backward()
    optimizer.step()
    save_checkpoint(net, optimizer, TASK, 5, tmp_path)
    again = fresh_net()
    saved = read_checkpoint(tmp_path, TASK)
    assert restore_net(again, saved) == 5
    assert equal(net, again)
    other = make_optimizer(again, stage)
    restore_optimizer(again, other, saved)
    trained = dict(again.named_parameters())
    for name, parameter in net.named_parameters():
        ours, theirs = optimizer.state[parameter], other.state[trained[name]]
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        assert all(ours[key].stride() == theirs[key].stride() for key in ours)


def test_without_a_checkpoint_nothing_is_done(tmp_path: Path) -> None:
    net = fresh_net()
    assert read_checkpoint(tmp_path, TASK) is None
    assert restore_net(net, None) == 0
    assert equal(net, fresh_net())


@pytest.mark.parametrize(
    "other",
    [
        Task(replace(RECIPE, seed=4), TASK.identity),
        Task(replace(RECIPE, rate=0.5), TASK.identity),
        Task(replace(RECIPE, stages="blocks"), TASK.identity),
        Task(RECIPE, {"images": "b"}),
    ],
)
def test_another_task_in_the_same_folder_is_refused(other: Task, tmp_path: Path) -> None:
    net = fresh_net()
    save_checkpoint(net, make_optimizer(net, plan_stages(net.graph, "whole")[0]), TASK, 1, tmp_path)
    with pytest.raises(InputError, match="name another --out or remove it") as caught:
        read_checkpoint(tmp_path, other)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"\x02\0\0\0\0\0\0\0{}"])
def test_another_file_in_place_of_the_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match="is no checkpoint of a finetuning"):
        run(tmp_path)


def test_equal_tasks_have_equal_texts() -> None:
    assert Task(Recipe(), {"a": "1", "b": "2"}).to_json() == (
        Task(Recipe(), {"b": "2", "a": "1"}).to_json()
    )
