from __future__ import annotations

import pytest

from haq.zoo.keys import Keys, Place, Proxyless, Timm, Torchvision, TorchvisionV3

ALL: list[Keys] = [Torchvision(), TorchvisionV3(), Timm(), Proxyless()]


@pytest.mark.parametrize("expands", [False, True])
@pytest.mark.parametrize("squeezes", [False, True])
@pytest.mark.parametrize("keys", ALL, ids=lambda keys: type(keys).__name__)
def test_no_name_is_given_twice_or_below_that_of_a_layer(
    keys: Keys, expands: bool, squeezes: bool
) -> None:
    names = [*keys.stem, *keys.head(2), keys.classifier]
    for number in range(2):
        block = keys.block(Place(number, 0, number, expands, squeezes))
        names += [*(block.expand if expands else ()), *block.depthwise, *block.project]
        names += [f"{block.squeeze}.{name}" for name in keys.squeeze] if squeezes else []
    assert len(set(names)) == len(names)
    assert not any(a.startswith(f"{b}.") for a in names for b in names)


def test_what_is_not_there_is_not_counted() -> None:
    first, second = Place(0, 0, 0, False, False), Place(1, 1, 0, True, True)
    assert Torchvision().block(first).project.conv == "features.1.conv.1"
    assert Torchvision().block(second).project.conv == "features.2.conv.2"
    assert TorchvisionV3().block(first).project.conv == "features.1.block.1.0"
    assert TorchvisionV3().block(second).project.conv == "features.2.block.3.0"
    assert Timm().block(first).project.conv == "blocks.0.0.conv_pw"
    assert Timm().block(second).project.conv == "blocks.1.0.conv_pwl"
