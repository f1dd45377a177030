"""What the numbers of a result are, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOTES = {
    "executed": "Executed: ncnn itself ran the network on these images.",
    "simulated": "Fake-quantized: the same rounding simulated in floating point; one value rounded "
    "the other way changes all that follows from it, so it agrees with ncnn in the mean only.",
    "finetuned": "Shared weights are computed in float; centroids finetuned are what is exported, "
    "and uniform k-means is clustered and finetuned as the found policy is.",
}
WORDS = {
    **{"deconv": "transposed convolution", "scale": "batch norm", "layer_norm": "layer norm"},
    **{"prepend": "class token", "shift": "position embedding", "gelu": "GELU"},
    **{"prelu": "PReLU", "group_norm": "group norm"},
}
PLANNERS = {"ilp": "an integer program", "walk": "the budget walk"}
MADE = {
    "lowered": "was made after the episodes, of one that was too slow when measured again",
    "least": "is the cheapest of all by the cost model, as nothing else kept the bound",
}
"""Found policies that no episode proposed, by their origin."""
LISTED = 12
"""Operations that stay float, by name."""


def score_sentences(kinds: Sequence[str]) -> str:
    """One sentence for each kind of score that is shown."""
    return " ".join(NOTES[kind] for kind in kinds if kind in NOTES)


def budgets_of(details: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The budgets of a run; one of an older version has one, and does not say what was reached."""
    if "budgets" in details:
        found: list[Mapping[str, Any]] = details["budgets"]
        return found
    return [{**details["budget"], "reference": "float", "reached": None}]


def bounds(details: Mapping[str, Any]) -> str:
    """Every budget and its bound, as in `latency ≤ 0.900 of float`."""
    return ", ".join(
        f"{title(one['kind'])} ≤ {one['ratio']:.3f} of {one['reference']}"
        for one in budgets_of(details)
    )


def budget_sentence(details: Mapping[str, Any]) -> str:
    """What the found policy has of every budget; empty where unknown."""
    reached = [
        f"{title(one['kind'])} {one['reached']:.3f} of {one['reference']} "
        f"(at most {one['ratio']:.3f})"
        for one in budgets_of(details)
        if one["reached"] is not None
    ]
    missed = any(one["reached"] is not None and is_missed(one) for one in budgets_of(details))
    more = " It was fast enough when searched, not when measured again." if missed else ""
    return f"The found policy has: {', '.join(reached)}.{more}" if reached else ""


def is_missed(budget: Mapping[str, Any]) -> bool:
    """Whether a bound of latency that haq has taken by itself is not kept."""
    missed: bool = budget["kind"] == "latency" and budget["reached"] > budget["ratio"]
    return missed


def title(kind: str) -> str:
    """A kind of budget in words: a table's latency is nothing measured."""
    return "latency by the table" if kind == "table" else kind


def size_sentence(details: Mapping[str, Any]) -> str:
    """How the found policy compares with uniform k-means of its size; empty where unknown."""
    compared = details.get("equal_size")
    if not compared:
        return ""
    shares = {kind: divide(kl["found_kl"], kl["uniform_kl"]) for kind, kl in compared.items()}
    tuned = f", {shares['finetuned']} after finetuning" if "finetuned" in shares else ""
    return (
        "At equal size (log KL interpolated between the two rows of uniform k-means) the found "
        f"policy has {shares['simulated']} times the KL of uniform bits{tuned}: below 1 mixed bits "
        "are better."
    )


def float_sentence(details: Mapping[str, Any]) -> str:
    """What has weights and is not quantized; empty where there is nothing of the kind."""
    named = [f"{name} ({WORDS.get(op, op)})" for name, op in details.get("stays_float", {}).items()]
    if not named:
        return ""
    verb = "operation stays" if len(named) == 1 else "operations stay"
    return f"{len(named)} {verb} float: {listed(named)}."


def origin_sentence(details: Mapping[str, Any]) -> str:
    """Who made the found policy, and how good the agent's own best is."""
    origin, agent, within = details["origin"], details["agent"], details.get("within")
    proposed = f"was proposed in episode {details['episode']}"
    proposed += f" of the search within {within}" if within else ""
    if origin == agent:
        return f"The found policy {proposed} by the agent, {agent}."
    how = MADE.get(origin) or f"{proposed} by {PLANNERS.get(origin, origin)}"
    kl = details["agents_best_kl"]
    best = "–" if kl is None else f"{kl:.2e}"
    return (
        f"The found policy {how}; the agent's own best has a KL of {best} on the validation images."
    )


def eights_sentence(details: Mapping[str, Any]) -> str:
    """What ncnn cannot run at 8 bits; empty where there is nothing of the kind."""
    names = details.get("without_8_bits", [])
    if not names:
        return ""
    what = "1 grouped convolution" if len(names) == 1 else f"{len(names)} grouped convolutions"
    return f"ncnn gets {what} wrong at 8 bits, which mean 32 there: {listed(names)}."


def listed(names: Sequence[str]) -> str:
    """The first few, and how many there are more."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{', '.join(names[:LISTED])}{more}"


def divide(found: float, uniform: float) -> str:
    """A ratio with two digits behind the point."""
    return f"{found / uniform:.2f}" if uniform > 0 else "–"


def network_words(details: Mapping[str, Any]) -> str:
    """Its weights and its input; runs of an older haq do not say."""
    found = details.get("network")
    if found is None:
        return "as it was named"
    channels, height, width = found["input"]
    return f"{found['weights']} weights, input {width}x{height}, {channels} channel(s)"
