"""Fake quantization end to end against what ncnn computes.

A few roundings that fall to the other side grow through the network until the two are two samples
of the same noise. So they are compared in what they average to, not image by image.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from bench.evaluation.policies import engine_policies
from bench.evaluation.subject import Given, subject_of
from haq.data import Images
from haq.engine_evaluator import deployed, float_network
from haq.prepare import quantizer_of
from haq.torch_evaluator import torch_evaluator
from quant.evaluate import divergences
from quant.graph import Floats
from quant.ncnn.runtime import capabilities
from quant.policy import ENGINE_BITS, Policy, uniform

MIXES = 10
TARGETS = {"standard_errors": 1.0, "kl_off": 0.15, "agreement": 0.97, "float_agreement": 0.999}
NO_KL = 1e-6
"""Both are the float network."""


def measure_fidelity(given: Given) -> dict[str, Any]:
    """Every policy's faults, and how many keep each target."""
    subject, images = subject_of(given), given.rows(given.scored)
    here = capabilities()
    fake = torch_evaluator(subject, quantizer_of(subject, "ncnn"), "ncnn", here, images)
    make, float_logits = deployed(subject, here), float_network(subject.network).logits(images)
    found = {}
    for name, policy in track(policies_of(subject.network.graph.layer_names).items(), "fidelity"):
        ours, theirs = fake.logits(policy), make(policy).logits(images)
        found[name] = {
            **top1(ours, theirs, images),
            **kl(divergences(ours, fake.float_logits), divergences(theirs, float_logits)),
            "agreement": float((ours.argmax(1) == theirs.argmax(1)).mean()),
        }
    return {
        "images": len(images),
        "targets": TARGETS,
        "keep": {word: count(found, word) for word in ("top1", "kl", "agreement")},
        "policies": found,
    }


def policies_of(names: tuple[str, ...]) -> dict[str, Policy]:
    """Uniform policies and random mixes by name."""
    mixes = engine_policies(names, MIXES)
    return {
        **{f"uniform {bits}": uniform(names, bits, bits) for bits in ENGINE_BITS},
        **{f"mix {number}": policy for number, policy in enumerate(mixes)},
    }


def top1(ours: Floats, theirs: Floats, images: Images) -> dict[str, Any]:
    """Top-1 of both, their paired difference, and its standard error."""
    right, executed = ours.argmax(1) == images.labels, theirs.argmax(1) == images.labels
    difference = executed.astype(float) - right
    error = float(difference.std(ddof=1) / np.sqrt(len(images)))
    off = float(difference.mean())
    return {
        "top1_fake": float(right.mean()),
        "top1_ncnn": float(executed.mean()),
        "top1_difference": off,
        "top1_standard_error": error,
        "top1_keeps": abs(off) <= TARGETS["standard_errors"] * error,
    }


def kl(fake: NDArray[np.float64], ncnn: NDArray[np.float64]) -> dict[str, Any]:
    """Mean divergence (N,) of both from their float networks, and its ratio."""
    ours, theirs = float(fake.mean()), float(ncnn.mean())
    both_float = max(ours, theirs) < NO_KL
    ratio = 1.0 if both_float else ours / theirs
    return {
        "kl_fake": ours,
        "kl_ncnn": theirs,
        "kl_ratio": ratio,
        "kl_keeps": abs(ratio - 1) <= TARGETS["kl_off"],
    }


def count(found: Mapping[str, Mapping[str, Any]], word: str) -> str:
    """How many policies keep a target, of how many."""
    if word == "agreement":
        kept = [one["agreement"] >= wanted_agreement(name) for name, one in found.items()]
    else:
        kept = [one[f"{word}_keeps"] for one in found.values()]
    return f"{sum(kept)} of {len(kept)}"


def wanted_agreement(name: str) -> float:
    """More of the float network than of others."""
    return TARGETS["float_agreement" if name == "uniform 32" else "agreement"]
