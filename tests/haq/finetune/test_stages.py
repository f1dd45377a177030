from __future__ import annotations

from itertools import pairwise

from haq.finetune.stages import cuts, layers_behind, plan_stages
from tests.haq.finetune.tiny import network
from tests.quant.networks import case


def test_the_whole_is_one_stage_from_the_image() -> None:
    graph = network().graph
    (stage,) = plan_stages(graph, "whole")
    assert stage.start == graph.nodes[0].name
    assert stage.layers == graph.layer_names


def test_each_stage_of_blocks_has_the_layers_of_the_one_before() -> None:
    graph = network().graph
    stages = plan_stages(graph, "blocks")
    assert len(stages) == 3
    sizes = [len(stage.layers) for stage in stages]
    assert sizes == sorted(sizes)
    thirds = [len(graph.layers) * share / 3 for share in (1, 2, 3)]
    assert all(abs(size - third) <= 3 for size, third in zip(sizes, thirds, strict=True))
    for smaller, larger in pairwise(stages):
        assert larger.layers[-len(smaller.layers) :] == smaller.layers
    assert stages[-1] == plan_stages(graph, "whole")[0]


def test_a_cut_never_lies_inside_of_a_block_with_a_shortcut() -> None:
    graph = case("mobile").network.graph
    add = next(node for node in graph.nodes if node.op == "add")
    names = [node.name for node in graph.nodes]
    inside = set(names[names.index(add.inputs[0]) + 1 : names.index(add.name)])
    found = cuts(graph)
    assert add.name in found and add.inputs[0] in found
    assert inside and not inside & set(found)


def test_layers_behind_the_image_are_all() -> None:
    graph = case("residual").network.graph
    assert layers_behind(graph, graph.nodes[0].name) == graph.layer_names
    assert layers_behind(graph, graph.nodes[-2].name) == graph.layer_names[-1:]
