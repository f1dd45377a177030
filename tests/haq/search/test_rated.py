from __future__ import annotations

from dataclasses import replace

from haq.search.rated import Rated
from quant.evaluate import Measured, Score
from tests.haq.search.doubles import latency, tied

SCORE = Score(top1=0.9, kl=0.01, agreement=0.98, images=400)
SIMULATED = replace(SCORE, top1=0.8, kl=0.02)


def test_what_ncnn_executes_counts() -> None:
    both = Rated(tied(8), {"simulated": SIMULATED, "executed": SCORE}, latency(0.8), 123)
    assert both.score == SCORE
    assert both.to_json() == {
        "top1": 0.9,
        "kl": 0.01,
        "latency_ratio": 0.8,
        "latency_ms": 1.6,
        "size_bytes": 123,
    }


def test_what_ncnn_cannot_execute_is_simulated_and_has_no_latency() -> None:
    row = Rated(tied(4), {"simulated": SIMULATED, "finetuned": SCORE}, None, 123).to_json()
    assert (row["top1"], row["kl"]) == (0.8, 0.02)
    assert (row["latency_ratio"], row["latency_ms"]) == (None, None)


def test_a_metric_is_named_with_its_value() -> None:
    judged = replace(SCORE, metric=Measured("f1", 0.7))
    row = Rated(tied(8), {"executed": judged, "simulated": SIMULATED}, None, 123).to_json()
    assert row["metric"] == {"name": "f1", "value": 0.7}
