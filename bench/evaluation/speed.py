"""Time of every way to compute the same images: all in one run, on all cores, loading included."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import numpy as np
from rich.progress import track

from bench.evaluation.onnx_float import float_onnx, run_optimized
from bench.evaluation.policies import free_policies
from bench.evaluation.subject import Given, subject_of
from haq.data import Images, normalise
from haq.engine_evaluator import EngineEvaluator, Loadable, deployed, float_network, simulated
from haq.prepare import Subject, quantizer_of
from haq.torch_evaluator import torch_evaluator
from quant.graph import Floats
from quant.ncnn.runtime import capabilities
from quant.policy import SIMULATED_BITS, uniform

REPETITIONS = 7
ROWS = "100-399"
ONNX, FLOAT, INT8 = "onnxruntime float32", "ncnn float32, bare", "ncnn int8, bare"
DEPLOYED, SIMULATED, TORCH = "ncnn int8, scored", "simulated 2-8, scored", "torch 2-8, scored"
RATIOS: Mapping[tuple[str, str], float | None] = {
    (SIMULATED, ONNX): 1.6,
    (DEPLOYED, INT8): 1.1,
    (SIMULATED, FLOAT): None,
}
"""Which ratios are asked for, and the most that they should be."""
Way = Callable[[], object]
Times = Mapping[str, Sequence[float]]


def measure_speed(given: Given) -> dict[str, Any]:
    """See `compare_ways`; the load average says how quiet the machine was."""
    load = os.getloadavg()[0]
    found = compare_ways(subject_of(given), given.rows(ROWS), REPETITIONS)
    return {**found, "load_average": [load, os.getloadavg()[0]]}


def compare_ways(subject: Subject, images: Images, repetitions: int) -> dict[str, Any]:
    """Median milliseconds an image of every way; medians of ratios taken within a repetition."""
    times = time_ways(make_ways(subject, images), repetitions)
    return {
        "images": len(images),
        "repetitions": repetitions,
        "ms_an_image": {n: median(t) / len(images) * 1e3 for n, t in times.items()},
        "to_onnxruntime": {name: ratio(times, name, ONNX)["ratio"] for name in times},
        "ratios": {
            f"{one} / {other}": {**ratio(times, one, other), "target": target}
            for (one, other), target in RATIOS.items()
        },
    }


def make_ways(subject: Subject, images: Images) -> dict[str, Way]:
    """By name. Bare engines are given normalised images; to score is all from policy to score.

    Weights of a policy's bits are quantized beforehand, as they are in a search.
    """
    graph, here, x = subject.network.graph, capabilities(), normalise(images.pixels)
    eights = uniform(graph.layer_names, 8, 8)
    (mixed,) = free_policies(graph.layer_names, SIMULATED_BITS, 1)
    quantizer = quantizer_of(subject, "simulated")
    quantizer.layers(mixed)
    onnx, floats = float_onnx(subject), float_network(subject.network)
    int8, float_logits = deployed(subject, here)(eights), floats.logits(images)
    by_ncnn = EngineEvaluator(deployed(subject, here), images, float_logits)
    by_simulation = EngineEvaluator(simulated(graph, quantizer), images, float_logits)
    by_torch = torch_evaluator(subject, quantizer, "simulated", here, images)
    return {
        ONNX: lambda: run_optimized(onnx, x),
        FLOAT: lambda: run_bare(floats, x),
        INT8: lambda: run_bare(int8, x),
        DEPLOYED: lambda: by_ncnn.score([eights]),
        SIMULATED: lambda: by_simulation.score([mixed]),
        TORCH: lambda: by_torch.score([mixed]),
    }


def run_bare(network: Loadable, images: Floats) -> None:
    """The engine and nothing else: a network for each core, and an equal share of the images."""
    cores = len(os.sched_getaffinity(0))

    def run(share: Floats) -> None:
        engine = network.load()
        for image in share:
            engine.run(image)

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(run, np.array_split(images, cores)))


def time_ways(ways: Mapping[str, Way], repetitions: int) -> dict[str, list[float]]:
    """Wall seconds of every repetition, each in an order of its own; a first one does not count."""
    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in track(range(repetitions + 1), "speed"):
        for name in rng.permutation(list(ways)):
            start = time.perf_counter()
            ways[name]()
            times[name].append(time.perf_counter() - start)
    return {name: found[1:] for name, found in times.items()}


def ratio(times: Times, one: str, other: str) -> dict[str, float]:
    """Median ratio of two ways, and its quartiles."""
    ratios = np.array(times[one]) / np.array(times[other])
    low, middle, high = np.quantile(ratios, (0.25, 0.5, 0.75)).tolist()
    return {"ratio": middle, "quartile_low": low, "quartile_high": high}
