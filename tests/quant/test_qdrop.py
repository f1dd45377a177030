from __future__ import annotations

import pytest
import torch

from quant.qdrop import Drop


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_as_many_are_dropped_as_asked(probability: float) -> None:
    drop = Drop(probability, torch.Generator().manual_seed(0))
    masks = [drop.draw(torch.empty(2, 5, 30, 31)) for _ in range(2)]
    assert all(mask.mean() == pytest.approx(probability, abs=0.02) for mask in masks)
    assert torch.equal(*masks) == (probability in (0.0, 1.0))
    again = Drop(probability, torch.Generator().manual_seed(0))
    assert torch.equal(again.draw(torch.empty(2, 5, 30, 31)), masks[0])
