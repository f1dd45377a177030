from __future__ import annotations

import pytest

from haq.report.sentences import (
    LISTED,
    bounds,
    budget_sentence,
    eights_sentence,
    float_sentence,
    network_words,
    origin_sentence,
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


ORIGIN = {"origin": "ddpg", "agent": "ddpg", "episode": 3, "agents_best_kl": 2.5e-5}


def test_who_made_the_found_policy() -> None:
    assert origin_sentence(ORIGIN) == (
        "The found policy was proposed in episode 3 by the agent, ddpg."
    )
    swept = {**ORIGIN, "within": "size=0.5x"}
    assert "in episode 3 of the search within size=0.5x by the agent" in origin_sentence(swept)


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ("ilp", "was proposed in episode 3 by an integer program; the agent's own best has"),
        ("walk", "by the budget walk; the agent's own best has a KL of 2.50e-05"),
        ("lowered", "was made after the episodes, of one that was too slow"),
        ("least", "is the cheapest of all by the cost model"),
        ("another", "was proposed in episode 3 by another;"),
    ],
)
def test_a_found_policy_that_is_not_the_agents(origin: str, said: str) -> None:
    assert said in origin_sentence({**ORIGIN, "origin": origin})


def test_an_agent_without_a_policy_of_its_own() -> None:
    none = {**ORIGIN, "origin": "ilp", "agents_best_kl": None}
    assert "has a KL of – on the validation images" in origin_sentence(none)


def test_an_agent_that_is_a_planner_is_called_one() -> None:
    assert origin_sentence({**ORIGIN, "origin": "ilp", "agent": "ilp"}).endswith("the agent, ilp.")


def test_what_ncnn_cannot_run_at_8_bits_is_listed() -> None:
    assert eights_sentence({}) == eights_sentence({"without_8_bits": []}) == ""
    one = eights_sentence({"without_8_bits": ["stage.1"]})
    assert one == "ncnn gets 1 grouped convolution wrong at 8 bits, which mean 32 there: stage.1."
    many = eights_sentence({"without_8_bits": [f"l{i}" for i in range(LISTED + 3)]})
    assert f"{LISTED + 3} grouped convolutions" in many
    assert many.endswith("and 3 more.")


def test_a_bound_of_haqs_own_that_was_missed_is_told() -> None:
    missed = {"kind": "latency", "ratio": 0.75, "reference": "float", "reached": 0.789}
    text = budget_sentence({"budgets": [missed]})
    assert text.endswith(
        "(at most 0.750). It was fast enough when searched, not when measured again."
    )
