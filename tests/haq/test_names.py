from __future__ import annotations

import pytest

from haq.names import NETWORKS, OWN_SIDES, PUBLISHED_SIDE, usual_data, usual_search_data
from haq.zoo.registry import find


@pytest.mark.parametrize("name", NETWORKS)
def test_sides_are_those_of_the_networks(name: str) -> None:
    _, _, side = find(name).images
    assert OWN_SIDES.get(name, PUBLISHED_SIDE) == side


@pytest.mark.parametrize(
    ("model", "weights_given", "input_size", "data"),
    [
        ("mbv2", False, None, "sample"),
        ("mbv2", True, None, "sample"),
        ("mbv2", False, 224, "sample:0-499"),
        ("lite0", False, None, "sample:0-499"),
        ("resnet50", False, None, "sample"),
        ("resnet50", True, None, "sample:0-499"),
        ("resnet50", True, 32, "sample"),
        ("mbv2_seg", False, None, "faces"),
        ("nets.own:make", True, None, "sample"),
    ],
)
def test_searches_of_large_images_take_a_few(
    model: str, weights_given: bool, input_size: int | None, data: str
) -> None:
    assert usual_search_data(model, weights_given, input_size) == data
    assert usual_data(model) == data.partition(":")[0]
