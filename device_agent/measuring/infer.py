"""Logits of images under policies: the accuracy that they have is that of the deployed network."""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import ncnn
import numpy as np
from numpy.typing import NDArray

from device_agent.measuring.candidates import Candidate, Workshop
from device_agent.measuring.outputs import checksum, require_finite
from device_agent.models.networks import FloatNetwork, Shape
from quant.errors import InputError
from quant.graph import Floats
from quant.ncnn.runtime import capabilities

MAX_LOGITS = 2**24
"""Numbers in an answer (64 MiB, a third more as text): it is made in memory."""
Pixels = NDArray[np.uint8] | Floats
Prepare = Callable[[Pixels], Floats]


def infer(
    network: FloatNetwork,
    policies: Sequence[Mapping[str, int]],
    images_file: Path,
    dtype: Literal["uint8", "float32"],
    divisor: float,
    shift: float,
    workers: int,
) -> dict[str, Any]:
    """The answer of `/v1/infer`. Raises InputError, PolicyError, and BoardError for outputs that
    are not finite."""
    images = open_images(images_file, dtype, network.input_shape)
    prepare = partial(normalise, divisor=divisor, shift=shift) if dtype == "uint8" else as_is
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder), capabilities(), threads=1)
        candidates = [workshop.mixed(network.layers, p, network.ranges) for p in policies]
        check_size(len(candidates) * len(images) * count_logits(candidates[0], images, prepare))
        logits = np.stack([run_images(c, images, prepare, workers) for c in candidates])
    return {
        "shape": logits.shape,
        "logits": base64.b64encode(logits.astype("<f4").tobytes()).decode(),
        "checksums": [checksum(of_one) for of_one in logits],
        "seconds": time.monotonic() - start,
        "ncnn_version": ncnn.__version__,
    }


def count_logits(candidate: Candidate, images: Pixels, prepare: Prepare) -> int:
    """Numbers in the output of one image."""
    return run_images(candidate, images[:1], prepare).size


def check_size(numbers: int) -> None:
    """Raise InputError for an answer that is too large to be made in memory."""
    if numbers > MAX_LOGITS:
        raise InputError(
            f"{numbers} logits are over the limit of {MAX_LOGITS}: fewer images or policies at once"
        )


def open_images(file: Path, dtype: Literal["uint8", "float32"], shape: Shape) -> Pixels:
    """Images (N, C, H, W) of a file that holds them one behind another; read as they are needed.

    Raises InputError where the file is no whole number of images.
    """
    kind = np.dtype("u1" if dtype == "uint8" else "<f4")
    image_bytes = kind.itemsize * math.prod(shape)
    size_bytes = file.stat().st_size
    if size_bytes == 0 or size_bytes % image_bytes:
        raise InputError(
            f"the images' file has {size_bytes} bytes, which is no multiple of the {image_bytes} "
            f"of an image of shape {list(shape)} in {dtype}"
        )
    return np.memmap(file, kind, "r", shape=(size_bytes // image_bytes, *shape))


def normalise(pixels: Pixels, divisor: float, shift: float) -> Floats:
    """`value / divisor - shift`, each step rounded to float32."""
    return pixels.astype(np.float32) / np.float32(divisor) - np.float32(shift)


def as_is(pixels: Pixels) -> Floats:
    """float32 images need no preparation."""
    return np.asarray(pixels, dtype=np.float32)


def run_images(
    candidate: Candidate, images: Pixels, prepare: Prepare = as_is, workers: int = 1
) -> Floats:
    """Logits (N, classes), or of every pixel, of images (N, C, H, W), on several threads.

    Each thread has the network for itself: shared, two of them take a third more time. Raises
    BoardError for outputs that are not finite.
    """
    engines = [candidate.load() for _ in range(min(workers, len(images)))]
    first = engines[0].run(prepare(images[0]))
    logits = np.empty((len(images), *first.shape), np.float32)

    def run(worker: int) -> None:
        for index in range(worker, len(images), len(engines)):
            logits[index] = engines[worker].run(prepare(images[index]))

    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(run, range(len(engines))))
    return require_finite(logits)
