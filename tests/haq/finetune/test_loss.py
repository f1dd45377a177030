from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from haq.finetune import Recipe
from haq.finetune.loss import divergence, sum_loss
from quant.errors import InputError

LOGITS = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])
WANTED = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 4.0]])
LABELS = torch.tensor([0, 2])


def test_at_temperature_one_it_is_the_divergence() -> None:
    p, q = WANTED.softmax(1), LOGITS.softmax(1)
    assert divergence(LOGITS, WANTED, 1.0).item() == pytest.approx(
        (p * (p / q).log()).sum().item(), rel=1e-5
    )


@given(st.floats(0.5, 100))
def test_equal_logits_have_no_divergence_at_any_temperature(temperature: float) -> None:
    assert divergence(WANTED, WANTED, temperature).item() == pytest.approx(0.0, abs=1e-3)


def test_at_high_temperatures_it_is_half_the_variance_of_the_error() -> None:
    error = LOGITS - WANTED
    centred = error - error.mean(1, keepdim=True)
    expected = centred.square().mean(1).sum() / 2
    assert divergence(LOGITS.double(), WANTED.double(), 1e3).item() == pytest.approx(
        expected.item(), rel=0.01
    )


def test_losses_add_up() -> None:
    both = Recipe(distill=True, labels=True, temperature=3.0)
    distilled = sum_loss(LOGITS, WANTED, LABELS, replace(both, labels=False))
    classified = sum_loss(LOGITS, None, LABELS, replace(both, distill=False))
    total = sum_loss(LOGITS, WANTED, LABELS, both)
    assert distilled.item() == pytest.approx(divergence(LOGITS, WANTED, 3.0).item())
    entropy = -(LOGITS.log_softmax(1)[[0, 1], LABELS]).sum()
    assert classified.item() == pytest.approx(entropy.item())
    assert total.item() == pytest.approx((distilled + classified).item())


def test_there_must_be_something_to_learn() -> None:
    with pytest.raises(InputError, match="nothing to learn from: ask for --distill or --labels"):
        Recipe(distill=False, labels=False)


def test_of_pixels_the_mean_counts_and_unknown_ones_do_not() -> None:
    recipe = Recipe(distill=False, labels=True)
    logits, labels = torch.randn(5, 4, 1, 1), torch.tensor([0, 3, 1, 2, 0])
    one = sum_loss(logits[..., 0, 0], None, labels, recipe)
    many = sum_loss(logits.expand(5, 4, 6, 7), None, labels[:, None, None].expand(5, 6, 7), recipe)
    torch.testing.assert_close(many, one)
    labels = labels[:, None, None].repeat(1, 2, 1)
    labels[:, 1] = -1
    half = sum_loss(logits.expand(5, 4, 2, 1), None, labels, recipe)
    torch.testing.assert_close(half, one / 2)
