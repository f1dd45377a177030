from __future__ import annotations

from haq.report.sentences import score_sentences, size_sentence


def test_one_sentence_for_each_kind_that_is_shown() -> None:
    both = score_sentences(["executed", "simulated"])
    assert both.startswith("Executed: ")
    assert "Fake-quantized: " in both
    assert "finetuned" not in both
    assert score_sentences(["scored"]) == ""


def test_mixed_bits_are_held_against_uniform_ones() -> None:
    kl = {"found_kl": 0.03, "uniform_kl": 0.04}
    compared = {"simulated": kl, "finetuned": {"found_kl": 0.03, "uniform_kl": 0.02}}
    text = size_sentence({"equal_size": compared})
    assert "0.75 times the KL of uniform bits, 1.50 after finetuning" in text
    assert "finetuning" not in size_sentence({"equal_size": {"simulated": kl}})


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert size_sentence({}) == size_sentence({"equal_size": None}) == ""
    exact = {"simulated": {"found_kl": 0.0, "uniform_kl": 0.0}}
    assert "– times" in size_sentence({"equal_size": exact})
