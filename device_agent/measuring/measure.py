"""Latency of policies: every mixed network beside the float one, until the ratios are sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numpy.random import default_rng

from device_agent.measuring.audit import audit
from device_agent.measuring.blocks import Stopping, Timed, collect
from device_agent.measuring.candidates import Candidate, Workshop
from device_agent.measuring.conditions import conditions
from device_agent.measuring.cooling import Cooling
from device_agent.measuring.cores import stay_on
from device_agent.measuring.infer import run_images
from device_agent.measuring.outputs import Outputs, checksum
from device_agent.measuring.room import require_room
from device_agent.measuring.rounds import REFERENCES, Run
from device_agent.measuring.statistics import Summary
from device_agent.measuring.timing import Timing
from device_agent.models.networks import FloatNetwork, Shape
from quant.graph import Floats
from quant.ncnn.runtime import capabilities

MIN_SAMPLE_MS = 1.0
"""Shorter runs are repeated within a sample, so that the clock's resolution does not matter."""


def measure(
    network: FloatNetwork,
    policies: Sequence[Mapping[str, int]],
    stopping: Stopping,
    timing: Timing,
    audited: bool = False,
) -> dict[str, Any]:
    """The answer of `/v1/measure` but for what the cache adds.

    Raises InputError for cores that are not there and for more networks than there is room for,
    PolicyError, and BoardError for outputs that are
    not finite, or not those of the evaluation while timing.
    """
    stay_on(timing.cores)
    require_room(network.layers, len(policies) + REFERENCES)
    clock_name, _ = timing.choose_clock()
    before = conditions(timing.threads, clock_name)
    with TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder), capabilities(), timing.threads)
        candidates = build(network, policies, workshop)
        timed, outputs = time_candidates(candidates, network.input_shape, stopping, timing)
        audits = [
            audit(candidates[index], network.input_shape, timing, outputs, index)
            if audited
            else None
            for index in range(REFERENCES, len(candidates))
        ]
    after = conditions(timing.threads, clock_name)
    shared = {"conditions_before": before, "conditions": after}
    summaries = timed.summaries(default_rng(timing.seed))
    rows = zip(summaries, outputs.expected[REFERENCES:], audits, strict=True)
    latencies = [
        {**latency(summary, timed), **shared, "checksum": checksum(output), "audit": found}
        for summary, output, found in rows
    ]
    return {"latencies": latencies, "timed_s": timed.seconds}


def build(
    network: FloatNetwork, policies: Sequence[Mapping[str, int]], workshop: Workshop
) -> list[Candidate]:
    """The float network, as often as it is a reference, and that of every policy."""
    mixed = [workshop.mixed(network.layers, policy, network.ranges) for policy in policies]
    return [workshop.float32(network.layers)] * REFERENCES + mixed


def time_candidates(
    candidates: Sequence[Candidate], shape: Shape, stopping: Stopping, timing: Timing
) -> tuple[Timed, Outputs]:
    """Time networks, the references first, and compare their outputs with those of an evaluation.

    Raises BoardError where they differ or are not finite.
    """
    image = timing.image(shape)
    reference, *others = candidates[REFERENCES - 1 :]
    expected = [run_images(candidate, image[None])[0] for candidate in (reference, *others)]
    outputs = Outputs([expected[0]] * (REFERENCES - 1) + expected)
    timed = collect(
        [partial(load_run, candidate, image) for candidate in candidates],
        timing.choose_clock()[1],
        stopping,
        default_rng([timing.seed, 1]),
        MIN_SAMPLE_MS,
        settle=Cooling(timing.cool_to_c).wait,
        inspect=outputs.inspect,
    )
    outputs.require_equal()
    return timed, outputs


def load_run(candidate: Candidate, image: Floats) -> Run:
    """A loaded network on its input; the first run, which allocates memory, is behind it."""
    run = partial(candidate.load().run, image)
    run()
    return run


def latency(summary: Summary, timed: Timed) -> dict[str, Any]:
    """The numbers of a latency; milliseconds are ratios times the reference's."""
    return {
        "ratio": summary.median,
        "ratio_low": summary.low,
        "ratio_high": summary.high,
        "latency_ms": summary.median * timed.reference_ms,
        "mad_ms": summary.mad * timed.reference_ms,
        "rounds": summary.count,
        "voided": timed.voided,
        "noise": summary.noise,
        "reference_ms": timed.reference_ms,
    }
