"""Room in memory: which networks can be loaded at once. ncnn crashes where there is none."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence

from quant.errors import InputError
from quant.ncnn.format import NcnnLayer

SHARE = 0.5
"""Of a job's address space, for networks; the rest is for the process, blobs and images."""
LOADED = 4
"""A network in memory, as a multiple of its float weights: Winograd's kernels are larger than 3x3.

Measured for resnet18, all of whose kernels are 3x3: 178 MB for 45 MB of weights.
"""
BLOBS = 16
"""What one or two layers make of their input, as a multiple of it: outputs, copies that are padded
or packed. An inverted residual's expansion alone makes it six times as large."""
EMPTY_BYTES = 2**18
"""A network without weights."""


def room_bytes() -> int:
    """Address space of this process, or the memory of the board where that is not limited."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        return limit
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def loaded_bytes(layers: Sequence[NcnnLayer]) -> int:
    """What float layers may take when they are loaded at any bits."""
    weights = (layer.payload.weight for layer in layers if layer.payload is not None)
    return EMPTY_BYTES + LOADED * sum(weight.nbytes for weight in weights if weight is not None)


def require_room(layers: Sequence[NcnnLayer], networks: int) -> None:
    """Raise InputError where so many networks of these float layers are too many for a job."""
    needed, room = networks * loaded_bytes(layers), room_bytes()
    if needed > room:
        raise InputError(
            f"{networks} networks take about {needed / 2**30:.1f} GiB at once, a job here has "
            f"{room / 2**30:.1f}: measure fewer at once, or let jobs have more memory"
        )


def groups(sizes: Sequence[int], room: float) -> Iterator[range]:
    """Indexes one behind the other, cut so that the sizes of each group fit; one at least."""
    start, taken = 0, 0
    for index, size in enumerate(sizes):
        if index > start and taken + size > room:
            yield range(start, index)
            start, taken = index, 0
        taken += size
    if sizes:
        yield range(start, len(sizes))
