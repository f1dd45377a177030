from __future__ import annotations

from typing import Any

from haq.report.rows import kinds_of, result_rows

NUMBERS = {"top1": 0.9, "kl": 0.01}
ENTRY = {**NUMBERS, "size_bytes": 9}
UNIFORMS = ("8", "16", "32")


def summary(scores: dict[str, Any], shared: tuple[str, ...] = ()) -> dict[str, Any]:
    names = ("best", *UNIFORMS, *shared)
    details: dict[str, Any] = {
        "agreement": dict.fromkeys(names, 0.98),
        "latency": {"8": {"ratio": 0.8}},
    }
    details |= {"scores": scores} if scores else {}
    details |= {"uniform_kmeans": dict.fromkeys(shared, ENTRY)} if shared else {}
    return {"best": ENTRY, "uniform": dict.fromkeys(UNIFORMS, ENTRY), "details": details}


def test_rows_run_from_float_to_the_found_policy() -> None:
    scores = {name: {"simulated": NUMBERS} for name in ("best", *UNIFORMS, "w3a32")}
    rows = result_rows(summary(scores, ("w3a32",)))
    assert [row.label for row in rows] == [
        *("uniform 32", "uniform 16", "uniform 8", "uniform k-means w3a32", "found")
    ]
    assert [row.latency for row in rows] == [None, None, {"ratio": 0.8}, None, None]


def test_kinds_of_scores_that_are_there_in_their_order() -> None:
    executed = {"simulated": NUMBERS, "executed": NUMBERS}
    scores = dict.fromkeys(("best", *UNIFORMS), executed)
    assert kinds_of(result_rows(summary(scores))) == ["executed", "simulated"]
    scores["best"] = {"simulated": NUMBERS, "finetuned": NUMBERS}
    assert kinds_of(result_rows(summary(scores))) == ["executed", "simulated", "finetuned"]


def test_an_older_run_has_one_score_a_policy() -> None:
    rows = result_rows(summary({}))
    assert kinds_of(rows) == ["scored"]
    assert {row.scores["scored"]["kl"] for row in rows} == {0.01}
