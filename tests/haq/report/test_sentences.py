from __future__ import annotations

from haq.report.sentences import (
    LISTED,
    bounds,
    budget_sentence,
    float_sentence,
    network_words,
    score_sentences,
    size_sentence,
)


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


BUDGETS = {
    "budgets": [
        {"kind": "latency", "ratio": 0.9, "reference": "float", "reached": 0.874},
        {"kind": "table", "ratio": 0.6, "reference": "W8A8", "reached": 0.5999},
    ]
}


def test_budgets_and_what_was_reached() -> None:
    assert bounds(BUDGETS) == "latency ≤ 0.900 of float, latency by the table ≤ 0.600 of W8A8"
    assert budget_sentence(BUDGETS) == (
        "The found policy has: latency 0.874 of float (at most 0.900), "
        "latency by the table 0.600 of W8A8 (at most 0.600)."
    )


def test_the_budget_of_an_older_run() -> None:
    older = {"budget": {"kind": "size", "ratio": 0.5, "float_cost": 100.0, "given": True}}
    assert bounds(older) == "size ≤ 0.500 of float"
    assert budget_sentence(older) == ""


def test_what_stays_float_is_listed() -> None:
    assert float_sentence({}) == float_sentence({"stays_float": {}}) == ""
    one = {"stays_float": {"up.0": "deconv"}}
    assert float_sentence(one) == "1 operation stays float: up.0 (transposed convolution)."
    two = {"stays_float": {"up.0": "deconv", "norm": "scale"}}
    assert float_sentence(two) == (
        "2 operations stay float: up.0 (transposed convolution), norm (batch norm)."
    )
    many = {"stays_float": {f"n{number}": "scale" for number in range(LISTED + 3)}}
    assert float_sentence(many).endswith(f"n{LISTED - 1} (batch norm) and 3 more.")


def test_weights_and_input_of_the_network() -> None:
    found = {"network": {"weights": "random", "input": [3, 224, 160]}}
    assert network_words(found) == "random weights, input 160x224, 3 channel(s)"
    assert network_words({}) == "as it was named"
