"""Policies by several quantizers, scored on images that no quantizer has seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from bench.quantizer.row import describe
from haq.data import Images
from haq.engine_evaluator import EngineEvaluator, float_network, simulated
from haq.prepare import Subject, quantizer_of, to_tensor
from quant.graph import Floats
from quant.policy import Policy, from_short_name
from quant.pool import one_thread
from quant.quantized import QuantizedLayers
from quant.recipe.sequence import Means, quantize_in_sequence
from quant.recipe.table import TableQuantizer, make_tables
from quant.saved import SavedQuantizer

SEQUENCES: Mapping[str, Means] = {
    "sequence: nearest, bias": Means(False, False, False, fitting=False),
    "+ spread, offset": Means(aligned=False, fitting=False),
    "+ fitting, no spread": Means(False, False, False, ridge=0.5, strength=False),
    "+ fitting": Means(aligned=False, ridge=0.5, strength=False),
    "+ ridge chosen": Means(aligned=False, strength=False),
    "+ strength": Means(aligned=False),
    "best": Means(),
}
ABLATED = ("w4a8", "w4a4")
Make = Callable[[Policy], QuantizedLayers]


def ablate(
    subject: Subject, calibration: Images, images: Images, policies: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Rows as they come: naive, table and best for all policies, the means for the low ones."""
    x = to_tensor(calibration)
    wanted = float_network(subject.network).logits(images)
    names = subject.network.graph.layer_names
    naive = quantizer_of(subject, "simulated")
    with one_thread():
        start = time.monotonic()
        table = TableQuantizer(subject.network, make_tables(subject.network, x))
        made_in = time.monotonic() - start
        for text in policies:
            policy = from_short_name(text, names)
            assert policy is not None
            yield rate("naive", text, policy, naive.layers, subject, images, wanted)
            found = rate("table", text, policy, table.layers, subject, images, wanted)
            yield {**found, "seconds": round(made_in, 1)}
            for method, means in SEQUENCES.items():
                if method == "best" or text in ABLATED:
                    make = sequencer(subject, x, means)
                    yield rate(method, text, policy, make, subject, images, wanted)


def sequencer(subject: Subject, calibration: Tensor, means: Means) -> Make:
    """Quantizes in sequence by some means."""
    return lambda policy: quantize_in_sequence(subject.network, calibration, policy, means).layers


def rate(
    method: str,
    text: str,
    policy: Policy,
    make: Make,
    subject: Subject,
    images: Images,
    wanted: Floats,
) -> dict[str, Any]:
    """Quantize, time it, and score."""
    start = time.monotonic()
    made = SavedQuantizer(policy, make(policy))
    seconds = time.monotonic() - start
    evaluator = EngineEvaluator(simulated(subject.network.graph, made), images, wanted)
    return describe(method, text, evaluator.logits(policy), wanted, images.labels, seconds)
